//! A server in memory: a [`Connector`] that runs a handler for each client.

use std::future::poll_fn;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fullduplex::{Builder, Connecting, Connector, Ports, Transport, Url, WebSocket};
use fullduplex_net::proto::Received;
use fullduplex_net::{AcceptOptions, Socket, accept};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::sync::oneshot;
use tokio::time::timeout;

/// The server's end of a connection.
pub(crate) type Client = Socket<DuplexStream>;

/// Returns the options of a client whose connections are served by `handler`.
pub(crate) fn builder<F>(handler: impl Fn(Client) -> F + Clone + Send + Sync + 'static) -> Builder
where
    F: Future<Output = ()> + Send + 'static,
{
    let serve = move |stream| {
        let handler = handler.clone();
        tokio::spawn(async move {
            let socket = accept(stream, &AcceptOptions::default()).await;
            handler(socket.expect("the handshake succeeds")).await;
        });
    };
    connected_to(Box::new(serve))
}

/// Sends `welcome`, then waits for the end.
pub(crate) async fn greet(mut socket: Client) {
    socket.send("welcome").await.ok();
    while let Ok(Some(_)) = socket.recv().await {}
}

/// Sends `welcome` and closes.
pub(crate) async fn greet_and_close(mut socket: Client) {
    socket.send("welcome").await.ok();
    socket.close(None).await.ok();
}

/// Opens a socket that the server greets. Returns it, still unused, once it has read the greeting,
/// and a receiver of whether the connection ended with a closing handshake.
pub(crate) async fn greeted_but_unused() -> (WebSocket, oneshot::Receiver<bool>) {
    let (greeted, is_greeted) = oneshot::channel();
    let (ended, has_ended) = oneshot::channel();
    let channels = Arc::new(Mutex::new(Some((greeted, ended))));
    let socket = builder(move |mut socket: Client| {
        let channels = channels.lock().expect("not poisoned").take();
        let (greeted, ended) = channels.expect("one client");
        async move {
            socket.send("welcome").await.expect("the client is there");
            socket.ping(b"").expect("the socket is open");
            // The Pong shows that the client has read everything before the Ping.
            let pong = poll_fn(|cx| socket.poll_event(cx)).await;
            assert!(matches!(pong, Some(Received::Pong(_))), "{pong:?}");
            greeted.send(()).expect("the test waits");
            while let Ok(Some(_)) = socket.recv().await {}
            ended.send(socket.close_result().is_some_and(|end| end.was_clean())).ok();
        }
    })
    .open()
    .expect("the URL is valid");
    timeout(Duration::from_secs(60), is_greeted)
        .await
        .expect("in time")
        .expect("the client is greeted");
    (socket, has_ended)
}

/// Returns the options of a client whose requests are answered with these bytes.
pub(crate) fn answered_with(response: String) -> Builder {
    let serve = move |mut stream: DuplexStream| {
        let response = response.clone();
        tokio::spawn(async move {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(stream.read_u8().await.expect("a whole request"));
            }
            stream.write_all(response.as_bytes()).await.expect("the client is there");
        });
    };
    connected_to(Box::new(serve))
}

fn connected_to(serve: Box<dyn Fn(DuplexStream) + Send + Sync>) -> Builder {
    WebSocket::builder("ws://memory.test/")
        .ports(Ports::Any)
        .connector(Arc::new(Memory(serve)))
        .deflate(None)
}

struct Memory(Box<dyn Fn(DuplexStream) + Send + Sync>);

impl Connector for Memory {
    fn connect<'a>(&'a self, _url: &'a Url) -> Connecting<'a> {
        let (ours, theirs) = tokio::io::duplex(1 << 16);
        (self.0)(theirs);
        Box::pin(async move { Ok(Transport::other(ours)) })
    }
}

impl std::fmt::Debug for Memory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Memory")
    }
}
