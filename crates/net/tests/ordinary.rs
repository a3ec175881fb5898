//! Lines that users of other WebSocket libraries write first.
#![allow(clippy::unwrap_used, reason = "a test may end by a panic")]

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use fullduplex_lab::ca::{Authority, Validity};
use fullduplex_lab::echo;
use fullduplex_net::proto::{CloseFrame, Message, Prepared, Text};
use fullduplex_net::{ConnectOptions, Socket, Tls, connect};

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
