//! Lines that users of other libraries write first.

use std::io;
use std::time::Duration;

use fullduplex_lab::echo;
use fullduplex_lab::script::guarded;
use fullduplex_net::proto::{Message, Role};
use fullduplex_net::{
    AcceptOptions, ConnectOptions, HandlerResult, IntoHandlerResult, Request, Server,
    ServerOptions, Socket, UpgradedOptions, connect,
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
    F: Future<Output: IntoHandlerResult> + Send + 'static,
{
    let server = Server::bind("127.0.0.1:0", ServerOptions::default()).await.unwrap();
    let url = format!("ws://{}/", server.local_addr().unwrap());
    tokio::spawn(server.serve(handler));
    let url = fullduplex_net::proto::Url::parse(&url).unwrap();
    let (mut socket, _) = connect(&url, &ConnectOptions::default()).await.unwrap();
    socket.send("hello").await.unwrap();
    assert_eq!(guarded("the echo", socket.recv()).await.unwrap(), Some("hello".into()));
}

#[derive(Debug)]
struct OwnError;

impl std::fmt::Display for OwnError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an error of the application")
    }
}

impl std::error::Error for OwnError {}

async fn echo_once(request: Request) {
    let mut socket = request.accept().await.unwrap();
    let message = socket.recv().await.unwrap().unwrap();
    socket.send(message).await.unwrap();
}

#[tokio::test]
async fn a_handler_returns_nothing_or_any_error() {
    serve(echo_once).await;
    serve(|request| async {
        echo_once(request).await;
        io::Result::Ok(())
    })
    .await;
    serve(|request| async {
        echo_once(request).await;
        Err::<(), _>(OwnError)
    })
    .await;
    serve(|request| async {
        echo_once(request).await;
        Err::<(), _>("a text")
    })
    .await;
    serve(|request: Request| async move {
        let mut socket = request.accept().await?;
        while let Some(message) = socket.recv().await? {
            socket.send(message).await?;
        }
        HandlerResult::Ok(())
    })
    .await;
    serve(echo::requests).await;
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

/// Uses each half in a task of its own, without a driver.
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

#[test]
fn options_are_built_or_updated() {
    let built = AcceptOptions::default().handshake_timeout(Duration::from_secs(1));
    let updated =
        AcceptOptions { handshake_timeout: Duration::from_secs(1), ..AcceptOptions::default() };
    assert_eq!(built.handshake_timeout, updated.handshake_timeout);
    let server = ServerOptions { connections: 7, ..Default::default() }.accept(built);
    assert_eq!((server.connections, server.accept.handshake_timeout.as_secs()), (7, 1));
}

/// A handler can read the request and the response before the connection is open.
#[tokio::test]
async fn a_handler_sees_both_sides_of_the_handshake() {
    serve(|request: Request| async move {
        assert_eq!(request.http_request().method(), http::Method::GET);
        assert_eq!(request.http_response().status(), 101);
        assert!(request.http_response().headers().contains_key("sec-websocket-accept"));
        echo_once(request).await;
    })
    .await;
}
