//! The additions of `fullduplex::host`, for bindings to other languages.

use std::task::{Context, Waker};

use fullduplex::host::{MessageDemand, Rest};
use fullduplex::{Data, Event, Events, Failure, WebSocket};
use fullduplex_lab::script::{FIN, PING, Peer, Scripted, TEXT, frame, guarded, script};
use futures_util::{FutureExt, StreamExt};
use tokio::sync::oneshot;

/// Returns an open socket for which the texts "1", "2" and "3" have arrived.
async fn with_three_messages() -> (WebSocket, Events) {
    let (arrived, have_arrived) = oneshot::channel();
    let server = script(async move |mut peer: Peer| {
        peer.shake_hands().await;
        peer.send(["1", "2", "3"].map(|text| frame(FIN | TEXT, text)).concat()).await;
        peer.send(frame(FIN | PING, "")).await;
        peer.read_frame().await.unwrap(); // the Pong: the messages before it have been read
        arrived.send(()).unwrap();
        peer.await_end().await;
    })
    .await;
    let socket = WebSocket::new(&server.url(), ()).unwrap();
    let mut events = socket.events();
    assert_eq!(events.next().await, Some(Event::Open));
    guarded("the messages", have_arrived).await.unwrap();
    (socket, events)
}

fn take(events: &mut Events, most: usize) -> (Vec<Data>, Rest) {
    let batch = events.take_messages(&Context::from_waker(Waker::noop()), most);
    (batch.messages.into_iter().map(|message| message.data).collect(), batch.rest)
}

fn texts<const N: usize>(texts: [&str; N]) -> Vec<Data> {
    texts.map(|text| Data::Text(text.into())).into()
}

#[tokio::test]
async fn messages_are_taken_in_batches() {
    let (socket, mut events) = with_three_messages().await;
    assert_eq!(take(&mut events, 2), (texts(["1", "2"]), Rest::Unknown));
    let listener = socket.add_event_listener(fullduplex::EventType::Message, |_, _| {});
    assert_eq!(take(&mut events, 2), (vec![], Rest::Unknown), "a listener must be called");
    socket.remove_event_listener(listener);
    assert_eq!(take(&mut events, 2), (texts(["3"]), Rest::Empty));
}

#[tokio::test]
async fn a_message_may_be_left_in_the_queue() {
    let (_socket, mut events) = with_three_messages().await;
    let mut cx = Context::from_waker(Waker::noop());
    assert!(events.poll_some(&mut cx, MessageDemand::Leave).is_pending());
    assert_eq!(take(&mut events, 1), (texts(["1"]), Rest::Unknown));
    assert!(events.next().now_or_never().is_some());
}

#[tokio::test]
async fn reserved_places_are_sent_in_order() {
    let server = script(async move |mut peer: Peer| {
        peer.shake_hands().await;
        let mut received = Vec::new();
        for _ in 0..4 {
            received.push(peer.read_payload(FIN | TEXT).await);
        }
        received
    })
    .await;
    let socket = WebSocket::new(&server.url(), ()).unwrap();
    let mut events = socket.events();
    assert_eq!(events.next().await, Some(Event::Open));
    socket.send("one").unwrap();
    let [two, three] = [socket.reserve(3).unwrap(), socket.reserve(5).unwrap()];
    socket.send("four").unwrap();
    assert_eq!(socket.buffered_amount(), 15);
    three.fill("three");
    two.fill("two");
    assert_eq!(server.finish().await, [&b"one"[..], b"two", b"three", b"four"]);
}

#[tokio::test]
async fn an_unfilled_place_fails_the_connection() {
    for message in [None, Some("longer")] {
        let server = script(async move |mut peer: Peer| {
            peer.shake_hands().await;
            peer.await_end().await;
        })
        .await;
        let socket = WebSocket::new(&server.url(), ()).unwrap();
        let mut events = socket.events();
        assert_eq!(events.next().await, Some(Event::Open));
        let place = socket.reserve(3).unwrap();
        match message {
            Some(message) => place.fill(message),
            None => drop(place),
        }
        assert_eq!(guarded("the error", events.next()).await, Some(Event::Error));
        let failure = socket.failure().unwrap();
        assert_eq!(failure.to_string(), Failure::Unfilled.to_string());
    }
}

/// Returns a server that reads a Close, and an open socket.
async fn open() -> (Scripted<Option<u16>>, WebSocket, Events) {
    let server = script(async move |mut peer: Peer| {
        peer.shake_hands().await;
        peer.read_close().await
    })
    .await;
    let socket = WebSocket::new(&server.url(), ()).unwrap();
    let mut events = socket.events();
    assert_eq!(events.next().await, Some(Event::Open));
    (server, socket, events)
}

#[tokio::test]
async fn an_environment_that_ends_closes_with_1001() {
    let (server, socket, _events) = open().await;
    socket.disappear();
    assert_eq!(server.finish().await, Some(1001));
}

#[tokio::test]
async fn close_as_closes_with_the_code_or_fails() {
    let (server, socket, _events) = open().await;
    assert!(socket.close_as(Some(1001), None).is_err());
    assert!(socket.close_as(Some(4000), Some("bye")).is_ok());
    assert_eq!(server.finish().await, Some(4000));
}
