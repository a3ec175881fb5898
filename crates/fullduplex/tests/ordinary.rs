//! Code that users of the browser's `WebSocket` and of other libraries write first.
#![allow(clippy::unwrap_used, reason = "a test may end by a panic")]

use std::sync::{Arc, mpsc};
use std::time::Duration;

use fullduplex::{Data, Event, Message, WebSocket};
use fullduplex_lab::echo;
use futures_util::StreamExt;

fn echo_url() -> String {
    format!("ws://127.0.0.1:{}/", echo::start(None))
}

/// FC-01.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_on_the_next_line_begin_with_open() {
    let socket = WebSocket::new(&echo_url(), ()).unwrap();
    let mut events = socket.events();
    assert_eq!(events.next().await, Some(Event::Open));
}

/// FC-01.
#[test]
fn a_handler_on_the_next_line_gets_open() {
    let socket = WebSocket::new(&echo_url(), ()).unwrap();
    let (tx, rx) = mpsc::channel();
    socket.set_onopen(move |_, _| tx.send(()).unwrap());
    rx.recv_timeout(Duration::from_secs(30)).unwrap();
}

#[tokio::test]
async fn send_takes_every_usual_type() {
    let socket = WebSocket::new(&echo_url(), ()).unwrap();
    let mut events = socket.events();
    assert_eq!(events.next().await, Some(Event::Open));
    let text = String::from("text");
    socket.send(&text).unwrap();
    socket.send(text.as_str()).unwrap();
    socket.send(Arc::<str>::from("text")).unwrap();
    socket.send(Message::text("text")).unwrap();
    socket.send(text).unwrap();
    for _ in 0..5 {
        let Some(Event::Message(message)) = events.next().await else { panic!("not a message") };
        assert_eq!(message.data.as_text(), Some("text"));
    }
    let bytes = vec![1, 2, 3];
    socket.send(&bytes).unwrap();
    socket.send([1, 2, 3]).unwrap();
    socket.send(&bytes[..]).unwrap();
    socket.send(bytes).unwrap();
    for _ in 0..4 {
        let Some(Event::Message(message)) = events.next().await else { panic!("not a message") };
        assert!(matches!(message.data, Data::Blob(bytes) if bytes == [1, 2, 3][..]));
    }
}

#[tokio::test]
async fn subprotocols_are_accepted_in_every_usual_form() {
    let url = echo_url();
    let sockets = [
        WebSocket::new(&url, "chat").unwrap(),
        WebSocket::new(&url, ["chat", "other"]).unwrap(),
        WebSocket::new(&url, vec!["chat", "other"]).unwrap(),
        WebSocket::new(&url, vec!["chat".to_owned()]).unwrap(),
        WebSocket::new(&url, Some("chat")).unwrap(),
    ];
    for socket in sockets {
        assert_eq!(socket.events().next().await, Some(Event::Open));
        assert_eq!(socket.protocol(), "chat");
    }
    for socket in [WebSocket::new(&url, ()).unwrap(), WebSocket::new(&url, None).unwrap()] {
        assert_eq!(socket.events().next().await, Some(Event::Open));
        assert_eq!(socket.protocol(), "");
    }
}

#[tokio::test]
async fn net_is_reexported() {
    use fullduplex::net::{ConnectOptions, connect};
    let (mut socket, _) = connect(echo_url(), &ConnectOptions::new()).await.unwrap();
    socket.send("hello").await.unwrap();
    assert_eq!(socket.recv().await.unwrap().unwrap(), Message::text("hello"));
}
