//! The rows of the reference page, as tests with any echo server. The same code is used for native programs and for
//! browsers, where `cargo xtask browser` runs it.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use fullduplex::ReadyState::{Closed, Closing, Connecting, Open};
use fullduplex::{
    Backoff, CloseEvent, Data, Error, Event, EventType, Events, Message, ReadyState,
    ReconnectingEvent, ReconnectingWebSocket, WebSocket,
};
use futures_util::StreamExt;

use crate::Target;

async fn opened(target: &Target) -> (WebSocket, Events) {
    let socket = target.socket().open().unwrap();
    let mut events = socket.events();
    assert_eq!(events.next().await, Some(Event::Open), "{:?}", socket.failure());
    (socket, events)
}

async fn next_message(events: &mut Events) -> Data {
    match events.next().await {
        Some(Event::Message(message)) => message.data,
        other => panic!("{other:?} instead of a message"),
    }
}

async fn next_close(events: &mut Events) -> CloseEvent {
    match events.next().await {
        Some(Event::Close(close)) => close,
        other => panic!("{other:?} instead of the close event"),
    }
}

/// constructor(url, protocols)
pub(crate) async fn constructor(target: &Target) {
    let socket = target.socket().protocols("chat").unwrap().open().unwrap();
    assert_eq!(socket.ready_state(), Connecting);
    assert_eq!(socket.events().next().await, Some(Event::Open), "{:?}", socket.failure());
    assert_eq!(socket.ready_state(), Open);
    let authority = target.url().trim_end_matches('/').split("//").nth(1).unwrap();
    for (url, protocols) in [
        ("ws://host:port/".to_owned(), vec![]),
        (format!("ftp://{authority}/"), vec![]),
        (format!("ws://{authority}/#"), vec![]),
        (format!("ws://{authority}/#fragment"), vec![]),
        (target.url().to_owned(), vec![String::new()]),
        (target.url().to_owned(), vec!["with space".to_owned()]),
        (target.url().to_owned(), vec!["a".to_owned(), "b".to_owned(), "a".to_owned()]),
    ] {
        let error = WebSocket::new(&url, protocols.clone()).unwrap_err();
        assert_eq!(error.name(), "SyntaxError", "{url} {protocols:?}: {error}");
    }
}

/// bufferedAmount
pub(crate) async fn buffered_amount(target: &Target) {
    let (socket, mut events) = opened(target).await;
    assert_eq!(socket.buffered_amount(), 0);
    socket.send("äö").unwrap();
    assert_eq!(socket.buffered_amount(), 4, "bytes of UTF-8");
    socket.send(vec![0; 1000]).unwrap();
    assert_eq!(socket.buffered_amount(), 1004, "payload only");
    next_message(&mut events).await;
    next_message(&mut events).await;
    assert_eq!(socket.buffered_amount(), 0, "what came back was written");

    socket.close();
    socket.send("dropped").unwrap();
    assert_eq!(socket.buffered_amount(), 7, "it grows while CLOSING");
    next_close(&mut events).await;
    socket.send("dropped").unwrap();
    assert_eq!(socket.buffered_amount(), 14, "it is not reset by CLOSED, and grows on");
}

/// onopen, onmessage, onerror, onclose: handlers and listeners are called once per event, in the order in which
/// they were added.
pub(crate) async fn onopen_onmessage_onerror_onclose(target: &Target) {
    let log = Arc::new(Mutex::new(Vec::new()));
    let note = |name: &'static str| {
        let log = Arc::clone(&log);
        move || log.lock().unwrap().push(name)
    };
    let socket = target.socket().open_with(|socket| {
        let (first, second, third) = (note("listener 1"), note("onopen"), note("listener 2"));
        socket.add_event_listener(EventType::Open, move |_, _| first());
        socket.set_onopen(|_, _| panic!("a replaced handler was called"));
        socket.add_event_listener(EventType::Open, move |_, _| third());
        socket.set_onopen(move |socket, _| {
            second();
            socket.send("1").unwrap();
            socket.send("2").unwrap();
        });
        let (once, message) = (note("once"), note("onmessage"));
        socket.add_event_listener_once(EventType::Message, move |_, _| once());
        socket.set_onmessage(move |socket, event| {
            message();
            if event.data.as_text() == Some("2") {
                socket.close();
            }
        });
        let removed = socket
            .add_event_listener(EventType::Message, |_, _| panic!("a removed listener was called"));
        assert!(socket.remove_event_listener(removed));
        assert!(!socket.remove_event_listener(removed));
        socket.set_onerror(|socket, _| panic!("unexpected error: {:?}", socket.failure()));
        let close = note("onclose");
        socket.set_onclose(move |_, _| close());
    });
    socket.unwrap().closed().await;
    let expected =
        ["listener 1", "onopen", "listener 2", "once", "onmessage", "onmessage", "onclose"];
    assert_eq!(*log.lock().unwrap(), expected);
}

/// protocol, extensions
pub(crate) async fn protocol_and_extensions(target: &Target) {
    for (offered, chosen) in
        [(vec!["unknown", "superchat", "chat"], "superchat"), (vec!["chat"], "chat")]
    {
        let socket = target.socket().protocols(&offered[..]).unwrap().open().unwrap();
        assert_eq!((socket.protocol(), socket.extensions()), Default::default());
        assert_eq!(socket.events().next().await, Some(Event::Open), "{:?}", socket.failure());
        assert_eq!(socket.protocol(), chosen);
        assert_eq!(socket.extensions(), target.extensions());
    }
    let (socket, _) = opened(target).await;
    assert_eq!(socket.protocol(), "", "none was offered");
    // The server supports none of the subprotocols, so the connection fails.
    let socket = target.socket().protocols("unknown").unwrap().open().unwrap();
    assert_eq!(socket.events().next().await, Some(Event::Error));
    assert_eq!(socket.protocol(), "");
}

/// readyState, outside of events and in each event
pub(crate) async fn ready_state(target: &Target) {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let note = |event: &'static str| {
        let seen = Arc::clone(&seen);
        move |state: ReadyState| seen.lock().unwrap().push((event, state as u16))
    };
    let socket = target.socket().open_with(|socket| {
        note("constructor")(socket.ready_state());
        let (open, message, close) = (note("open"), note("message"), note("close"));
        let closing = note("close()");
        socket.set_onopen(move |socket, _| {
            open(socket.ready_state());
            socket.send("x").unwrap();
        });
        socket.set_onmessage(move |socket, _| {
            message(socket.ready_state());
            socket.close();
            closing(socket.ready_state());
        });
        socket.set_onclose(move |socket, _| close(socket.ready_state()));
    });
    let socket = socket.unwrap();
    socket.closed().await;
    assert_eq!(socket.ready_state(), Closed);
    let expected = [("constructor", 0), ("open", 1), ("message", 1), ("close()", 2), ("close", 3)];
    assert_eq!(*seen.lock().unwrap(), expected);
}

/// url
pub(crate) async fn url(target: &Target) {
    let http = target.url().replacen("ws", "http", 1) + "a/../path?query=%20ü";
    let parsed = target.url().to_owned() + "path?query=%20%C3%BC";
    let socket = WebSocket::new(&http, ()).unwrap();
    assert_eq!(socket.url(), parsed);
    let (_, mut events) = opened(target).await;
    events_origin(target, &mut events).await;
}

/// Checks that the origin of a message is that of the URL.
async fn events_origin(target: &Target, events: &mut Events) {
    let (socket, mut own) = opened(target).await;
    socket.send("x").unwrap();
    match own.next().await {
        Some(Event::Message(message)) => {
            assert_eq!(&*message.origin, target.url().trim_end_matches('/'));
        }
        other => panic!("{other:?} instead of a message"),
    }
    assert_eq!(events.try_next(), None, "another socket gets no event");
}

/// close(), in each state, by either end
pub(crate) async fn close(target: &Target) {
    close_while_connecting(target).await;
    close_while_open(target).await;
    close_by_the_server(target).await;
}

async fn close_while_connecting(target: &Target) {
    let socket = target.socket().open().unwrap();
    let mut events = socket.events();
    socket.close_with(4000, "ignored").unwrap();
    assert_eq!(socket.ready_state(), Closing, "at once");
    assert_eq!(events.next().await, Some(Event::Error), "but its events come later");
    let close = next_close(&mut events).await;
    assert_eq!(close, CloseEvent { was_clean: false, code: 1006, reason: String::new() });
    assert_eq!(events.next().await, None);
}

async fn close_while_open(target: &Target) {
    for (code, reason) in [(1000, ""), (3000, "bye"), (4999, "auf Wiedersehen, 再见")] {
        let (socket, mut events) = opened(target).await;
        for bad in [0, 999, 1001, 1005, 1006, 1011, 2999, 5000, u16::MAX] {
            assert_eq!(socket.close_with(bad, ""), Err(Error::Code(bad)));
        }
        let too_long = socket.close_with(1000, &"ä".repeat(62)).unwrap_err();
        assert_eq!(too_long.name(), "SyntaxError", "124 bytes");
        assert_eq!(socket.ready_state(), Open, "a refused close changes nothing");

        socket.close_with(code, reason).unwrap();
        assert_eq!(socket.ready_state(), Closing);
        socket.close_with(4001, "the second call does nothing").unwrap();
        assert_eq!(next_close(&mut events).await, target.close_event(code, reason));
        assert_eq!(socket.ready_state(), Closed);
        socket.close_with(4001, "nor does one when CLOSED").unwrap();
        assert_eq!(socket.close_with(1001, ""), Err(Error::Code(1001)), "checked in every state");
        assert_eq!(events.next().await, None);
    }
    // Without a code our Close has no body, and an answer without a body means 1005.
    let (socket, mut events) = opened(target).await;
    socket.close();
    assert_eq!(next_close(&mut events).await, target.close_event(1005, ""));
}

async fn close_by_the_server(target: &Target) {
    for (code, reason) in [(1000, ""), (1001, "going away"), (4321, "a reason, 理由")] {
        let (socket, mut events) = opened(target).await;
        socket.send(format!("close {code} {reason}")).unwrap();
        let close = next_close(&mut events).await;
        assert_eq!(close, CloseEvent { was_clean: true, code, reason: reason.into() });
        assert_eq!(socket.ready_state(), Closed);
        assert!(socket.failure().is_none(), "a close is not a failure");
    }
}

/// send()
pub(crate) async fn send(target: &Target) {
    let socket = target.socket().open().unwrap();
    assert_eq!(socket.send("too early"), Err(Error::Connecting));
    assert_eq!(socket.send(vec![1]).unwrap_err().name(), "InvalidStateError");
    assert_eq!(socket.buffered_amount(), 0);
    send_sizes(target).await;
    send_in_order(target).await;
    let (socket, mut events) = opened(target).await;
    socket.close();
    next_close(&mut events).await;
    socket.send("silently counted").unwrap();
    assert_eq!(socket.buffered_amount(), 16);
}

async fn send_sizes(target: &Target) {
    let (socket, mut events) = opened(target).await;
    for size in [0, 1, 125, 126, 127, 65_535, 65_536, 1 << 20, 16 << 20] {
        let binary: Vec<u8> = (0..size).map(|i| (i * 31 % 251) as u8).collect();
        for message in [Message::from(text_of(size)), Message::from(binary)] {
            socket.send(message.clone()).unwrap();
            let data = next_message(&mut events).await;
            // `assert_eq!` would print 16 MiB.
            assert!(Message::from(data) == message, "{size} bytes did not come back equal");
        }
    }
}

/// Returns a text of this many bytes, with characters of every length.
fn text_of(size: usize) -> String {
    let mut text = "Grüße, 世界! 𝄞 ".repeat(size / 16 + 1);
    let end = (0..=size).rev().find(|&end| text.is_char_boundary(end)).unwrap();
    text.truncate(end);
    text + &"_".repeat(size - end)
}

async fn send_in_order(target: &Target) {
    const COUNT: u32 = 100_000;
    let (socket, mut events) = opened(target).await;
    for number in 0..COUNT {
        socket.send(number.to_string()).unwrap();
    }
    for number in 0..COUNT {
        assert_eq!(next_message(&mut events).await.as_text(), Some(&*number.to_string()));
    }
    socket.close();
    assert!(next_close(&mut events).await.was_clean);
}

/// Not a row of the page: a `ReconnectingWebSocket` reconnects, and sends the messages that were queued meanwhile.
pub(crate) async fn reconnecting(target: &Target) {
    let mut backoff = Backoff::default();
    backoff.base = Duration::from_millis(10);
    let socket = ReconnectingWebSocket::builder(target.socket()).backoff(backoff).open();
    let mut events = socket.events();
    socket.send("close 3001 again").unwrap();
    assert!(matches!(events.next().await, Some(ReconnectingEvent::Open)), "{:?}", socket.failure());
    match events.next().await {
        Some(ReconnectingEvent::Lost(lost)) => assert_eq!(lost.close.code, 3001),
        other => panic!("{other:?} instead of the lost event"),
    }
    socket.send("queued").unwrap();
    assert!(matches!(events.next().await, Some(ReconnectingEvent::Open)));
    match events.next().await {
        Some(ReconnectingEvent::Message(message)) => {
            assert_eq!(message.data.as_text(), Some("queued"))
        }
        other => panic!("{other:?} instead of a message"),
    }
    socket.buffered_below(1).await;
    socket.close_with(3002, "enough").unwrap();
    match events.next().await {
        Some(ReconnectingEvent::Close(close)) => {
            assert_eq!(close, target.close_event(3002, "enough"))
        }
        other => panic!("{other:?} instead of the close event"),
    }
    assert_eq!(socket.ready_state(), Closed);
}
