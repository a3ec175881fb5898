//! Networks that refuse, drop and cut connections. The `WebSocket` fails once, reports the cause,
//! and never delivers part of a message.

use std::time::Duration;

use fullduplex::{Event, WebSocket};
use fullduplex_lab::script::{
    BINARY, CONTINUATION, FIN, OPENING, Peer, SAMPLE_REQUEST, TEXT, answer_to, close_frame, deaf,
    frame, guarded, script,
};
use fullduplex_lab::trace::Trace;
use futures_util::StreamExt;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

/// The number of concurrent connections.
const AT_ONCE: usize = 16;

/// The server sends a handshake, three messages and a Close. Each causes one event.
const PARTS: usize = 5;

/// The events that these parts cause.
const OPENED: [&str; PARTS - 1] =
    ["open", r#"message "one""#, "message [2, 2]", r#"message "thr€e""#];
const CLEAN: &str = r#"close 1000 "bye" clean"#;
const UNCLEAN: &str = r#"close 1000 "bye" unclean"#;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cut {
    Fin,
    Reset,
}

/// RFC6455-4.1-8.
#[tokio::test]
async fn a_refused_connection_fails() {
    let (_held, address) = deaf();
    let trace = Trace::record(WebSocket::builder(&format!("ws://{address}/"))).await;
    trace.assert_failed(&[], &format!("could not connect to {address}: Connection refused"));
}

/// RFC6455-4.1-8.
#[tokio::test]
async fn an_unknown_host_fails() {
    let trace = Trace::record(WebSocket::builder("ws://no-such-host.invalid/")).await;
    trace.assert_failed(&[], "could not resolve the host `no-such-host.invalid`");
}

/// A full backlog ignores connections, like an unreachable host.
#[tokio::test]
async fn a_black_hole_fails_at_the_deadline() {
    let (hole, address) = deaf();
    let _hole = hole.listen(0).unwrap();
    let _first = TcpStream::connect(address).await.unwrap();
    let socket =
        WebSocket::builder(&format!("ws://{address}/")).connect_timeout(Duration::from_millis(200));
    let trace = Trace::record(socket).await;
    trace.assert_failed(&[], &format!("could not connect to {address} within 200ms"));
}

#[tokio::test]
async fn the_event_stream_of_a_failed_socket_ends_after_its_close() {
    let (_held, address) = deaf();
    let socket = WebSocket::new(&format!("ws://{address}/"), ()).unwrap();
    let events: Vec<Event> = guarded("the end of the stream", socket.events().collect()).await;
    assert!(matches!(&events[..], [Event::Error, Event::Close(close)] if close.code == 1006));
}

/// RFC6455-7.2.1-1.
#[tokio::test]
async fn a_fin_at_any_byte_loses_no_complete_message() {
    cut_everywhere(Cut::Fin).await;
}

/// RFC6455-7.2.1-1.
#[tokio::test]
async fn a_reset_at_any_byte_never_delivers_part_of_a_message() {
    cut_everywhere(Cut::Reset).await;
}

/// Runs the script once for each byte at which it can be cut.
async fn cut_everywhere(how: Cut) {
    let mut cuts = 0..=parts(SAMPLE_REQUEST).concat().len();
    let mut running = JoinSet::new();
    loop {
        while running.len() < AT_ONCE
            && let Some(at) = cuts.next()
        {
            running.spawn(cut_once(how, at));
        }
        match running.join_next().await {
            Some(outcome) => outcome.expect("the events are correct"),
            None => break,
        }
    }
}

async fn cut_once(how: Cut, at: usize) {
    let server = script(async move |mut peer: Peer| {
        let parts = parts(&peer.read_head().await);
        let sent = &parts.concat()[..at];
        match how {
            Cut::Fin => {
                peer.send(sent).await;
                peer.fin().await;
            }
            Cut::Reset => peer.reset_after(sent).await,
        }
        (1..=parts.len()).filter(|&count| parts[..count].concat().len() <= at).count()
    });
    let (trace, whole) = server.await.record().await;
    let context = format!("{how:?} at {at}, where {whole} parts are whole: {trace:#?}");
    let events: Vec<&str> = trace.events.iter().map(String::as_str).collect();
    match (&events[..], how) {
        // The reset arrives before our answer to the peer's Close.
        ([opened @ .., CLEAN], Cut::Fin) | ([opened @ .., UNCLEAN], Cut::Reset) => {
            assert_eq!((opened, whole), (&OPENED[..], PARTS), "{context}");
        }
        ([arrived @ .., "error", Trace::FAILED], _) => {
            assert!(OPENED.starts_with(arrived), "{context}");
            match how {
                Cut::Fin => assert_eq!(arrived.len(), whole, "{context}"),
                // A reset discards unread data.
                Cut::Reset => assert!(arrived.len() <= whole, "{context}"),
            }
            let cause =
                if arrived.is_empty() { "opening handshake" } else { "connection was lost" };
            trace.assert_failed(arrived, cause);
        }
        _ => panic!("{context}"),
    }
}

/// Returns the bytes of the parts.
fn parts(request: &str) -> [Vec<u8>; PARTS] {
    // The split is inside a character.
    let (begin, end) = "thr€e".as_bytes().split_at(4);
    let fragments = [frame(TEXT, begin), frame(FIN | CONTINUATION, end)];
    [
        answer_to(request, &OPENING),
        frame(FIN | TEXT, "one"),
        frame(FIN | BINARY, [2, 2]),
        fragments.concat(),
        close_frame(1000, "bye"),
    ]
}
