//! HUB-8: a hub without a broker has the same guarantees.

use std::time::Duration;

use fullduplex_hub::{History, Hub, HubOptions, SlowPolicy, SubscribeOptions};

use crate::support::{next, next_events, next_with_position, pending, topic};

fn with_history(size: usize) -> Hub {
    let history = History::new(size, Duration::from_secs(60));
    Hub::local_with(HubOptions::default().with_history("", history))
}

fn numbers(range: std::ops::RangeInclusive<u32>) -> Vec<String> {
    range.map(|number| number.to_string()).collect()
}

/// HUB-1.
#[tokio::test]
async fn each_subscriber_gets_every_message_once_and_in_order() {
    for hub in [Hub::local(), with_history(10)] {
        let room = topic("room");
        let mut subscribers = Vec::new();
        for _ in 0..3 {
            subscribers.push(hub.subscribe(&room, Default::default()).await.unwrap());
        }
        for number in 1..=100 {
            hub.publish(&room, number.to_string()).await.unwrap();
            hub.publish(&topic("other room"), "elsewhere").await.unwrap();
        }
        for subscriber in &mut subscribers {
            assert_eq!(pending(subscriber).await, numbers(1..=100));
        }
    }
}

/// HUB-1.
#[tokio::test]
async fn publish_to_others_skips_the_publisher() {
    for hub in [Hub::local(), with_history(10)] {
        let room = topic("room");
        let mut own = hub.subscribe(&room, Default::default()).await.unwrap();
        let mut other = hub.subscribe(&room, Default::default()).await.unwrap();
        hub.publish_to_others(&room, "to others", own.id()).await.unwrap();
        hub.publish(&room, "to all").await.unwrap();
        assert_eq!(pending(&mut own).await, ["to all"]);
        assert_eq!(pending(&mut other).await, ["to others", "to all"]);
    }
}

/// HUB-3.
#[tokio::test]
async fn recovery_returns_missed_messages_and_then_new_ones() {
    let (hub, room) = (with_history(10), topic("room"));
    let mut subscriber = hub.subscribe(&room, Default::default()).await.unwrap();
    for number in 1..=5 {
        hub.publish(&room, number.to_string()).await.unwrap();
    }
    next(&mut subscriber).await;
    let (text, position) = next_with_position(&mut subscriber).await;
    assert_eq!(text, "2");
    drop(subscriber);
    let position = position.to_string().parse().unwrap();
    let options = SubscribeOptions::default().recover(Some(position));
    let mut subscriber = hub.subscribe(&room, options).await.unwrap();
    hub.publish(&room, "6").await.unwrap();
    assert_eq!(pending(&mut subscriber).await, numbers(3..=6));
}

/// HUB-3.
#[tokio::test]
async fn a_lost_position_is_a_gap_and_the_latest_messages_follow_on_request() {
    let (hub, room) = (with_history(3), topic("room"));
    let first = hub.publish(&room, "1").await.unwrap().unwrap();
    for number in 2..=9 {
        hub.publish(&room, number.to_string()).await.unwrap();
    }
    let recover = |position| SubscribeOptions::default().recover(Some(position));
    let mut trimmed = hub.subscribe(&room, recover(first)).await.unwrap();
    assert_eq!(pending(&mut trimmed).await, ["gap Trimmed"]);
    let other = "1-1-1".parse().unwrap();
    let mut newest = hub.subscribe(&room, recover(other).latest(2)).await.unwrap();
    assert_eq!(pending(&mut newest).await, ["gap Replaced", "8", "9"]);
    let mut fresh = hub.subscribe(&room, SubscribeOptions::default().latest(1)).await.unwrap();
    hub.publish(&room, "10").await.unwrap();
    assert_eq!(pending(&mut fresh).await, ["9", "10"]);
}

/// HUB-2: without a history, it is unknown which messages a client missed.
#[tokio::test]
async fn a_position_in_a_topic_without_history_is_a_gap() {
    let (hub, room) = (Hub::local(), topic("room"));
    let position = "1-1-1".parse().unwrap();
    let options = SubscribeOptions::default().recover(Some(position));
    let mut subscriber = hub.subscribe(&room, options).await.unwrap();
    assert_eq!(pending(&mut subscriber).await, ["gap Disconnected"]);
}

/// HUB-4.
#[tokio::test]
async fn a_slow_subscriber_receives_a_gap_and_delays_no_other() {
    for hub in [Hub::local(), with_history(10)] {
        let room = topic("room");
        let options = SubscribeOptions::default().capacity(2 * 65);
        let mut slow = hub.subscribe(&room, options.clone()).await.unwrap();
        let mut closing = hub.subscribe(&room, options.slow(SlowPolicy::Close)).await.unwrap();
        let mut fast = hub.subscribe(&room, Default::default()).await.unwrap();
        for number in 1..=4 {
            hub.publish(&room, number.to_string()).await.unwrap();
        }
        assert_eq!(next(&mut slow).await, "1");
        hub.publish(&room, "5").await.unwrap();
        assert_eq!(pending(&mut slow).await, ["2", "gap Slow", "5"]);
        assert_eq!(next_events(&mut closing, 4).await, ["1", "2", "gap Slow", "end"]);
        assert_eq!(pending(&mut fast).await, numbers(1..=5));
    }
}

#[tokio::test]
async fn members_are_listed_until_they_are_dropped() {
    let (hub, room) = (Hub::local(), topic("room"));
    let ann = hub.join(&room, "Ann").await.unwrap();
    let bob = hub.join(&room, "Bob").await.unwrap();
    let _elsewhere = hub.join(&topic("other room"), "Eve").await.unwrap();
    let mut data: Vec<_> =
        hub.members(&room).await.unwrap().into_iter().map(|member| member.data).collect();
    data.sort();
    assert_eq!(data, ["Ann", "Bob"]);
    drop(bob);
    let members = hub.members(&room).await.unwrap();
    assert_eq!(members.iter().map(|member| member.id).collect::<Vec<_>>(), [ann.id()]);
}

/// HUB-4.
#[tokio::test]
async fn an_unused_topic_is_removed() {
    let mut options = HubOptions::default();
    options.linger = Duration::ZERO;
    let hub = Hub::local_with(options);
    for number in 0..100 {
        drop(hub.subscribe(&topic(&number.to_string()), Default::default()).await.unwrap());
    }
    let begin = std::time::Instant::now();
    while hub.stats().topics > 2 {
        assert!(begin.elapsed() < crate::support::PATIENCE);
        tokio::time::sleep(Duration::from_millis(50)).await;
        drop(hub.subscribe(&topic("0"), Default::default()).await.unwrap());
    }
}

#[tokio::test]
async fn the_counters_add_up() {
    let (hub, room) = (Hub::local(), topic("room"));
    let mut one = hub.subscribe(&room, Default::default()).await.unwrap();
    let _other = hub.subscribe(&room, SubscribeOptions::default().capacity(0)).await.unwrap();
    hub.publish(&room, "hello").await.unwrap();
    next(&mut one).await;
    let stats = hub.stats();
    assert!(stats.connected);
    assert_eq!((stats.topics, stats.published, stats.received), (1, 1, 1));
    assert_eq!((stats.delivered, stats.dropped), (1, 1));
}
