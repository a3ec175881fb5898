//! How a reconnecting socket handles a rejected handshake.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use fullduplex::{Builder, Error, Lost, ReconnectingEvent, ReconnectingWebSocket, WebSocket};
use futures_util::StreamExt;
use tokio::time::timeout;

use crate::memory;

fn rejecting(status: u16, headers: &str) -> Builder {
    let head = format!("HTTP/1.1 {status} No\r\nContent-Length: 0\r\n{headers}\r\n");
    memory::answered_with(head)
}

async fn first_event(socket: &ReconnectingWebSocket) -> ReconnectingEvent {
    timeout(Duration::from_secs(86_400), socket.events().next()).await.unwrap().unwrap()
}

async fn first_loss(builder: Builder) -> Lost {
    let socket = ReconnectingWebSocket::builder(builder).open();
    match first_event(&socket).await {
        ReconnectingEvent::Lost(lost) => lost,
        other => panic!("{other:?}"),
    }
}

/// FC-07
#[tokio::test(start_paused = true)]
async fn a_permanent_rejection_ends_a_socket_with_fixed_options() {
    for status in [400, 401, 403, 407, 410] {
        let socket = ReconnectingWebSocket::builder(rejecting(status, "")).open();
        let event = first_event(&socket).await;
        assert!(matches!(event, ReconnectingEvent::Error), "{status}: {event:?}");
        let cause = socket.failure().unwrap().to_string();
        assert!(cause.contains(&status.to_string()), "{cause}");
    }
    for status in [404, 408, 429, 500, 503] {
        assert_eq!(first_loss(rejecting(status, "")).await.retry, 1, "{status}");
    }
}

/// FC-07: invalid options end the socket too.
#[tokio::test(start_paused = true)]
async fn invalid_options_end_a_socket_with_fixed_options() {
    for url in ["nonsense", "ws://127.0.0.1:6000/"] {
        let socket = ReconnectingWebSocket::builder(WebSocket::builder(url)).open();
        let event = first_event(&socket).await;
        assert!(matches!(event, ReconnectingEvent::Error), "{url}: {event:?}");
    }
}

/// FC-07
#[tokio::test(start_paused = true)]
async fn a_provider_is_asked_again_after_a_rejection() {
    let asked = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&asked);
    let socket = ReconnectingWebSocket::provided_by(move |_| {
        let token_is_fresh = count.fetch_add(1, Ordering::Relaxed) > 0;
        let fresh = || memory::builder(memory::greet);
        let builder = if token_is_fresh { fresh() } else { rejecting(401, "") };
        async { Ok::<_, Error>(builder) }
    })
    .open();
    let mut events = socket.events();
    let lost = events.next().await.unwrap();
    assert!(matches!(&lost, ReconnectingEvent::Lost(lost) if lost.is_permanent()), "{lost:?}");
    assert!(matches!(events.next().await, Some(ReconnectingEvent::Open)));
    assert_eq!(asked.load(Ordering::Relaxed), 2);
}

/// FC-07
#[tokio::test(start_paused = true)]
async fn the_predicate_of_the_application_replaces_the_default() {
    let builder = ReconnectingWebSocket::builder(rejecting(401, ""));
    let socket = builder.stop_when(|lost| lost.retry > 2).open();
    let mut events = socket.events();
    for retry in 1..=2 {
        let event = events.next().await.unwrap();
        assert!(matches!(&event, ReconnectingEvent::Lost(lost) if lost.retry == retry));
    }
    assert!(matches!(events.next().await, Some(ReconnectingEvent::Error)));
}

/// FC-07: the wait of the backoff, below one second, is added.
#[tokio::test(start_paused = true)]
async fn retry_after_delays_the_next_attempt_by_up_to_an_hour() {
    for (header, seconds) in [
        ("Retry-After: 120", 120),
        ("Retry-After:  7 ", 7),
        ("Retry-After: 99999999999999999999999", 3600),
        ("Date: Mon, 30 Nov 2026 12:00:00 GMT\r\nRetry-After: Mon, 30 Nov 2026 12:01:30 GMT", 90),
        ("Date: Mon, 30 Nov 2026 12:00:00 GMT\r\nRetry-After: Mon, 30 Nov 2026 11:00:00 GMT", 0),
        ("Retry-After: soon", 0),
        ("Retry-After: -5", 0),
        ("Retry-After: \u{e9}", 0),
    ] {
        for status in [429, 503] {
            let lost = first_loss(rejecting(status, &format!("{header}\r\n"))).await;
            let delay = Duration::from_secs(seconds);
            let expected = delay..delay + Duration::from_secs(1);
            assert!(expected.contains(&lost.retry_in), "{header}: {:?}", lost.retry_in);
        }
    }
}
