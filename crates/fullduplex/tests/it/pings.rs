//! Pings of the application, and the Pongs that answer them.

use fullduplex::{Event, WebSocket};
use fullduplex_lab::script::{FIN, PING, Peer, TEXT, frame, guarded, script};
use futures_util::{FutureExt, StreamExt};
use tokio::sync::oneshot;

const PONG: u8 = 0xA;

fn pong(number: u64) -> Vec<u8> {
    frame(FIN | PONG, number.to_be_bytes())
}

/// RFC6455-5.5.3-2: a Pong answers its Ping and all earlier ones. A Pong for a Ping that was not sent is ignored.
#[tokio::test]
async fn a_pong_answers_the_pings_up_to_its_own() {
    let server = script(async move |mut peer: Peer| {
        peer.shake_hands().await;
        assert_eq!(peer.read_payload(FIN | PING).await, 1u64.to_be_bytes());
        peer.send([pong(2), frame(FIN | TEXT, "2 was not sent")].concat()).await;
        assert_eq!(peer.read_payload(FIN | PING).await, 2u64.to_be_bytes());
        peer.send([pong(2), frame(FIN | TEXT, "both are answered")].concat()).await;
        peer.send([pong(1), frame(FIN | TEXT, "1 is older")].concat()).await;
        peer.await_end().await;
    })
    .await;
    let socket = WebSocket::new(&server.url(), ()).unwrap();
    let mut events = socket.events();
    assert_eq!(events.next().await, Some(Event::Open));
    assert_eq!(socket.ping(), Ok(Some(1)));
    assert!(matches!(guarded("a message", events.next()).await, Some(Event::Message(_))));
    assert_eq!(socket.pings_answered(), 0);
    assert_eq!(socket.ping(), Ok(Some(2)));
    for _ in 0..2 {
        assert!(matches!(guarded("a message", events.next()).await, Some(Event::Message(_))));
        assert_eq!(socket.pings_answered(), 2);
    }
}

#[tokio::test]
async fn a_round_trip_ends_with_the_pong() {
    let (answer, answers) = oneshot::channel();
    let server = script(async move |mut peer: Peer| {
        peer.shake_hands().await;
        let number = peer.read_payload(FIN | PING).await;
        answers.await.unwrap();
        peer.send(frame(FIN | PONG, number)).await;
        peer.await_end().await;
    })
    .await;
    let socket = WebSocket::new(&server.url(), ()).unwrap();
    let mut events = socket.events();
    assert_eq!(events.next().await, Some(Event::Open));
    let mut round_trip = Box::pin(socket.round_trip());
    assert_eq!(round_trip.as_mut().now_or_never(), None);
    answer.send(()).unwrap();
    assert!(matches!(guarded("the Pong", round_trip).await, Ok(Some(_))));
}
