//! Code that users of other WebSocket libraries write first.

use std::borrow::Cow;
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;
use std::{fmt, io};

use bytes::{Bytes, BytesMut};
use fullduplex_lab::ca::{Authority, Validity};
use fullduplex_lab::echo;
use fullduplex_lab::script::SAMPLE_REQUEST;
use fullduplex_net::proto::Role;
use fullduplex_net::{
    AcceptOptions, CloseFrame, ConnectOptions, IntoHandlerResult, Message, Prepared, Request,
    Server, ServerOptions, Socket, Text, Tls, UpgradedOptions, connect,
};
use futures_util::{SinkExt, StreamExt, TryStreamExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Returns the URL of an echo server.
fn echo_url() -> String {
    format!("ws://127.0.0.1:{}/", echo::start(None))
}

async fn open() -> Socket {
    connect(echo_url(), &ConnectOptions::new()).await.unwrap().0
}

#[tokio::test]
async fn connect_takes_a_str() {
    let url = echo_url();
    let (mut socket, _) = connect(url.as_str(), &ConnectOptions::default()).await.unwrap();
    socket.send("hello").await.unwrap();
    assert_eq!(socket.recv().await.unwrap().unwrap(), Message::text("hello"));
}

#[tokio::test]
async fn connect_returns_the_response() {
    let (_socket, response) = connect(echo_url(), &ConnectOptions::new()).await.unwrap();
    assert_eq!(response.status(), 101);
    assert_eq!(response.headers()["Upgrade"], "websocket");
}

#[tokio::test]
async fn options_are_built_by_methods_or_by_struct_update() {
    let authority = Authority::new();
    let identity = authority.issue(&["localhost"], Validity::Now);
    let url = format!("wss://localhost:{}/", echo::start(Some(&identity)));
    let tls = Tls::with_extra_roots(authority.root_pem().as_bytes()).unwrap();
    let updated = ConnectOptions { tls: Some(tls.clone()), ..Default::default() };
    connect(&url, &updated).await.unwrap();
    let built = ConnectOptions::new()
        .tls(tls)
        .header("Authorization", "Bearer token")
        .unwrap()
        .connect_timeout(Duration::from_secs(5));
    connect(&url, &built).await.unwrap();
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

#[tokio::test]
async fn send_takes_every_usual_type() {
    let mut socket = open().await;
    let text = String::from("text");
    socket.send(&text).await.unwrap();
    socket.send(text.as_str()).await.unwrap();
    socket.send(Cow::from("text")).await.unwrap();
    socket.send(Arc::<str>::from("text")).await.unwrap();
    socket.send(Box::<str>::from("text")).await.unwrap();
    socket.send(Text::from("text")).await.unwrap();
    socket.send(&Prepared::new("text")).await.unwrap();
    socket.send(text).await.unwrap();
    for _ in 0..8 {
        assert_eq!(socket.recv().await.unwrap().unwrap(), Message::text("text"));
    }
    let bytes = vec![1, 2, 3];
    socket.send(&bytes).await.unwrap();
    socket.send(&bytes[..]).await.unwrap();
    socket.send([1, 2, 3]).await.unwrap();
    socket.send(&[1, 2, 3]).await.unwrap();
    socket.send(b"\x01\x02\x03").await.unwrap();
    socket.send(Bytes::from_static(&[1, 2, 3])).await.unwrap();
    socket.send(BytesMut::from(&[1, 2, 3][..])).await.unwrap();
    socket.send(bytes).await.unwrap();
    for _ in 0..8 {
        assert_eq!(socket.recv().await.unwrap().unwrap(), Message::binary(vec![1, 2, 3]));
    }
}

#[tokio::test]
async fn a_text_is_a_str() {
    let mut socket = open().await;
    socket.send(r#"{"name": "Ada"}"#).await.unwrap();
    let Message::Text(text) = socket.recv().await.unwrap().unwrap() else { panic!("not text") };
    assert_eq!(text.len(), 15);
    assert!(text.starts_with('{'));
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(value["name"], "Ada");
}

#[tokio::test]
async fn a_message_has_the_usual_methods() {
    let mut socket = open().await;
    socket.send(Message::text("text")).await.unwrap();
    let message = socket.recv().await.unwrap().unwrap();
    assert!(message.is_text() && !message.is_binary());
    assert_eq!(message.to_text().unwrap(), "text");
    assert_eq!(message.into_text().unwrap(), "text");
    socket.send(Message::binary(vec![1])).await.unwrap();
    let message = socket.recv().await.unwrap().unwrap();
    assert!(message.is_binary());
    assert_eq!(message.into_payload(), [1][..]);
}

#[tokio::test]
async fn a_close_frame_has_a_code_and_a_reason() {
    let mut socket = open().await;
    let closed = socket.close(Some(CloseFrame::new(1000, "bye").unwrap())).await.unwrap();
    assert!(closed.was_clean());
    assert_eq!((closed.code(), closed.reason()), (1000, "bye"));
}

#[tokio::test]
async fn a_socket_is_a_stream() {
    let mut socket = open().await;
    socket.send("hello").await.unwrap();
    socket.start_close(None);
    let mut received = Vec::new();
    while let Some(message) = socket.next().await {
        received.push(message.unwrap());
    }
    assert_eq!(received, [Message::text("hello")]);
}

#[tokio::test]
async fn a_socket_splits_into_a_sink_and_a_stream() {
    let (mut sink, mut stream) = open().await.split();
    let sending = tokio::spawn(async move {
        sink.send("one".into()).await?;
        sink.send(Message::text("two")).await?;
        sink.close().await
    });
    let mut received = Vec::new();
    while let Some(Ok(message)) = stream.next().await {
        received.push(message);
    }
    sending.await.unwrap().unwrap();
    assert_eq!(received, [Message::text("one"), Message::text("two")]);
}

/// The two halves have different errors, which `forward` needs to be converted.
#[tokio::test]
async fn a_stream_is_forwarded_to_a_sink() {
    type BoxError = Box<dyn Error + Send + Sync>;
    async fn echo(request: Request) -> Result<(), BoxError> {
        let (sink, stream) = request.accept().await?.split();
        stream.err_into::<BoxError>().forward(sink.sink_err_into()).await
    }
    let server = Server::bind("127.0.0.1:0", ServerOptions::default()).await.unwrap();
    let url = format!("ws://{}/", server.local_addr().unwrap());
    tokio::spawn(server.serve(echo));
    let (mut socket, _) = connect(url, &ConnectOptions::new()).await.unwrap();
    socket.send("hello").await.unwrap();
    assert_eq!(socket.recv().await.unwrap().unwrap(), Message::text("hello"));
    let closed = socket.close(None).await.unwrap();
    assert!(closed.was_clean(), "{closed:?}");
}

/// Returns the close code of a client whose connection runs this handler.
async fn close_code_of<F, R>(handler: impl Fn(Request) -> F + Send + Sync + 'static) -> u16
where
    F: Future<Output = R> + Send + 'static,
    R: IntoHandlerResult,
{
    let server = Server::bind("127.0.0.1:0", ServerOptions::default()).await.unwrap();
    let url = format!("ws://{}/", server.local_addr().unwrap());
    tokio::spawn(server.serve(handler));
    let (mut socket, _) = connect(url, &ConnectOptions::new()).await.unwrap();
    while let Ok(Some(_)) = socket.recv().await {}
    socket.closed().await.code()
}

#[derive(Debug)]
struct OwnError;

impl fmt::Display for OwnError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an error of the application")
    }
}

impl Error for OwnError {}

#[tokio::test]
async fn a_handler_returns_nothing_or_any_error() {
    async fn nothing(request: Request) {
        drop(request.accept().await);
    }
    async fn io_error(request: Request) -> io::Result<()> {
        drop(request.accept().await);
        Err(io::ErrorKind::NotFound.into())
    }
    async fn own_error(request: Request) -> Result<(), OwnError> {
        drop(request.accept().await);
        Err(OwnError)
    }
    async fn boxed_error(request: Request) -> Result<(), Box<dyn Error + Send + Sync>> {
        request.accept().await?.send("hello").await?;
        Err("an error of the application".into())
    }
    async fn text_error(request: Request) -> Result<(), &'static str> {
        drop(request.accept().await);
        Err("a text")
    }
    assert_eq!(close_code_of(nothing).await, 1000);
    assert_eq!(close_code_of(io_error).await, 1011);
    assert_eq!(close_code_of(own_error).await, 1011);
    assert_eq!(close_code_of(text_error).await, 1011);
    assert_eq!(close_code_of(boxed_error).await, 1011);
}

/// A handler can read the request and the response before the connection is open.
#[tokio::test]
async fn a_handler_sees_both_sides_of_the_handshake() {
    let sees = |request: Request| async move {
        assert_eq!(request.http_request().method(), http::Method::GET);
        assert_eq!(request.http_response().status(), 101);
        assert!(request.http_response().headers().contains_key("sec-websocket-accept"));
        drop(request.accept().await);
    };
    assert_eq!(close_code_of(sees).await, 1000);
}

#[tokio::test]
async fn an_upgraded_stream_becomes_a_socket() {
    let mut stream = TcpStream::connect(("127.0.0.1", echo::start(None))).await.unwrap();
    stream.write_all(SAMPLE_REQUEST.as_bytes()).await.unwrap();
    let mut response = Vec::new();
    while !response.ends_with(b"\r\n\r\n") {
        response.push(stream.read_u8().await.unwrap());
    }
    let mut socket = Socket::from_upgraded(stream, Role::Client, UpgradedOptions::default());
    socket.send("hello").await.unwrap();
    assert_eq!(socket.recv().await.unwrap().unwrap(), Message::text("hello"));
}
