pub(crate) mod tls;

use std::time::Duration;

use fullduplex_hub::{Event, GapReason, Position, Subscription, Topic};
use tokio::time::timeout;

/// How long a test waits for an event.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) fn topic(name: &str) -> Topic {
    Topic::new(name).expect("it is a good name")
}

/// Returns the next event, such as `hello` for a message and `gap Slow`.
pub(crate) async fn next(subscription: &mut Subscription) -> String {
    shown(timeout(PATIENCE, subscription.recv()).await.expect("an event comes in time"))
}

/// Returns the next message and its position.
pub(crate) async fn next_with_position(subscription: &mut Subscription) -> (String, Position) {
    let text = next(subscription).await;
    (text, subscription.position().expect("the topic has a history"))
}

/// Returns the next events.
pub(crate) async fn next_events(subscription: &mut Subscription, count: usize) -> Vec<String> {
    let mut events = Vec::new();
    while events.len() < count {
        events.push(next(subscription).await);
    }
    events
}

/// Returns the events that are available without waiting.
pub(crate) async fn pending(subscription: &mut Subscription) -> Vec<String> {
    let mut events = Vec::new();
    while let Ok(event) = timeout(Duration::ZERO, subscription.recv()).await {
        events.push(shown(event));
    }
    events
}

fn shown(event: Option<Event>) -> String {
    match event {
        Some(Event::Message(delivery)) => {
            delivery.message.message().to_text().expect("tests send texts").to_owned()
        }
        Some(Event::Gap(gap)) => {
            assert_eq!(gap.reason == GapReason::Slow, gap.messages.is_some());
            format!("gap {:?}", gap.reason)
        }
        None => "end".into(),
    }
}
