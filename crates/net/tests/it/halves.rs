//! A `Socket` as a `Stream` and a `Sink`, whole and in halves.

use fullduplex_lab::script::guarded;
use fullduplex_net::proto::{Message, Role};
use fullduplex_net::{
    ConnectOptions, HandlerResult, Request, Server, ServerOptions, Socket, UpgradedOptions, connect,
};
use futures_util::{SinkExt, StreamExt};
use tokio::io::duplex;

fn pair() -> (Socket<tokio::io::DuplexStream>, Socket<tokio::io::DuplexStream>) {
    let (client, server) = duplex(1 << 16);
    (
        Socket::from_upgraded(client, Role::Client, UpgradedOptions::default()),
        Socket::from_upgraded(server, Role::Server, UpgradedOptions::default()),
    )
}

/// Runs `handler`, and expects it to echo one message.
async fn serve<F>(handler: impl Fn(Request) -> F + Send + Sync + 'static)
where
    F: Future<Output = HandlerResult> + Send + 'static,
{
    let server = Server::bind("127.0.0.1:0", ServerOptions::default()).await.unwrap();
    let url = format!("ws://{}/", server.local_addr().unwrap());
    tokio::spawn(server.serve(handler));
    let (mut socket, _) = connect(url, &ConnectOptions::default()).await.unwrap();
    socket.send("hello").await.unwrap();
    assert_eq!(guarded("the echo", socket.recv()).await.unwrap(), Some("hello".into()));
}

#[tokio::test]
async fn a_socket_is_a_stream_and_a_sink() {
    let (mut client, mut server) = pair();
    SinkExt::send(&mut client, "one".into()).await.unwrap();
    SinkExt::send(&mut client, Message::text("two")).await.unwrap();
    let mut received = Vec::new();
    while received.len() < 2
        && let Some(Ok(message)) = server.next().await
    {
        received.push(message);
    }
    assert_eq!(received, ["one".into(), "two".into()]);
    let closing = async { SinkExt::close(&mut client).await };
    let (closed, end) = tokio::join!(closing, server.next());
    closed.unwrap();
    assert!(end.is_none());
    assert!(client.next().await.is_none());
    assert!(client.close_result().unwrap().was_clean());
}

/// Uses each half in a separate task, without a driver.
#[tokio::test]
async fn the_halves_of_a_socket_serve_two_tasks() {
    const COUNT: usize = 1_000;
    let (client, server) = pair();
    let (mut echo, mut received) = server.split();
    let echoing = tokio::spawn(async move {
        while let Some(Ok(message)) = received.next().await {
            echo.send(message).await.unwrap();
        }
    });
    let (mut sink, mut stream) = client.split();
    let sending = tokio::spawn(async move {
        for number in 0..COUNT {
            sink.send(number.to_string().into()).await.unwrap();
        }
        sink.close().await.unwrap();
        // The connection stays open while one half exists.
        drop(sink);
    });
    for number in 0..COUNT {
        let message = guarded("a message", stream.next()).await.unwrap().unwrap();
        assert_eq!(message, number.to_string().into());
    }
    assert!(guarded("the end", stream.next()).await.is_none());
    sending.await.unwrap();
    echoing.await.unwrap();
}

/// Uses the halves in two tasks; the handler of the socket only waits for them.
#[tokio::test]
async fn the_halves_of_a_handlers_socket_serve_two_tasks() {
    serve(|request: Request| async move {
        let (mut sink, mut stream) = request.accept().await?.split();
        let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
        let receiving = tokio::spawn(async move {
            while let Some(Ok(message)) = stream.next().await {
                tell.send(message).unwrap();
            }
        });
        let sending = tokio::spawn(async move {
            while let Some(message) = told.recv().await {
                sink.send(message).await.unwrap();
            }
        });
        receiving.await?;
        sending.await?;
        HandlerResult::Ok(())
    })
    .await;
}

/// One future of the handler receives while another sends, in one task and with one waker.
#[tokio::test]
async fn the_halves_of_a_handlers_socket_serve_one_task() {
    serve(|request: Request| async move {
        let (mut sink, mut stream) = request.accept().await?.split();
        let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
        let receiving = async move {
            while let Some(Ok(message)) = stream.next().await {
                tell.send(message).unwrap();
            }
        };
        let sending = async move {
            while let Some(message) = told.recv().await {
                sink.send(message).await.unwrap();
            }
        };
        tokio::join!(receiving, sending);
        HandlerResult::Ok(())
    })
    .await;
}
