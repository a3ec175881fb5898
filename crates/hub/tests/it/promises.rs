//! Tests of the guarantees of a hub on a broker (specs/hub.md), for both brokers.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use fullduplex_hub::{
    Event, History, Hub, HubOptions, Outbox, Position, PresenceError, PublishError, SlowPolicy,
    SubscribeOptions, Subscription,
};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use crate::support::{PATIENCE, next, next_events, next_with_position, pending, topic};
use fullduplex_lab::broker::{Broker, BrokerKind};
use fullduplex_lab::cable::Cable;

/// Defines a test of each guarantee for one broker.
macro_rules! test_promises {
    ($program:expr, $needs:literal) => {
        $crate::promises::test_promises! {
            $program, $needs:
            a_broker_that_stops_for_a_while_loses_nothing_silently;
            a_longer_message_than_allowed_is_not_received;
            a_lost_position_is_reported_as_a_gap;
            a_program_runs_with_and_without_a_broker;
            a_node_that_is_cut_off_loses_nothing_silently;
            a_position_is_recovered_from_on_any_node;
            a_quiet_topic_has_no_gap;
            a_restart_of_the_broker_loses_nothing_silently;
            a_slow_subscriber_delays_no_other;
            an_unused_topic_is_unsubscribed;
            lost_data_of_the_broker_is_reported_as_a_gap;
            members_of_a_dead_node_expire;
            messages_reach_all_nodes_in_order;
            names_are_data;
            publish_to_others_skips_the_publisher_on_all_nodes;
            publishing_without_a_broker_never_lies;
            subscribers_of_a_node_share_each_message;
        }
    };
    ($program:expr, $needs:literal: $($name:ident;)*) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        #[ignore = $needs]
        async fn $name() {
            $crate::promises::$name($program).await;
        }
    )*};
}
pub(crate) use test_promises;

/// Topics in `log/` have a history.
pub(crate) fn options() -> HubOptions {
    let mut options =
        HubOptions::default().with_history("log/", History::new(10_000, Duration::from_secs(60)));
    options.timeout = Duration::from_secs(1);
    options.keepalive = Duration::from_millis(300);
    options.linger = Duration::from_millis(300);
    options.presence_ttl = Duration::from_secs(2);
    options
}

pub(crate) async fn hub_at(kind: BrokerKind, url: &str, options: HubOptions) -> Hub {
    match kind {
        BrokerKind::Redis => Hub::redis(url, options).await.expect("the server runs"),
        BrokerKind::Nats => Hub::nats(url, options).await.expect("the server runs"),
    }
}

async fn nodes(kind: BrokerKind, server: &Broker, count: usize) -> Vec<Hub> {
    let mut nodes = Vec::new();
    while nodes.len() < count {
        nodes.push(hub_at(kind, &server.url(), options()).await);
    }
    nodes
}

/// Publishes `name.1`, `name.2` and so on to a topic until it is stopped.
struct Publisher {
    task: JoinHandle<Vec<String>>,
    stop: tokio::sync::watch::Sender<bool>,
}

impl Publisher {
    /// Starts publishing. In a topic without a history, pauses for a millisecond between messages to limit the load.
    fn start(hub: Hub, name: &'static str, room: &str) -> Self {
        let room = topic(room);
        let (stop, stopped) = tokio::sync::watch::channel(false);
        let task = tokio::spawn(async move {
            let mut confirmed = Vec::new();
            for number in 1.. {
                if *stopped.borrow() {
                    break;
                }
                let text = format!("{name}.{number}");
                match hub.publish(&room, text.clone()).await {
                    Ok(_) => confirmed.push(text),
                    Err(_) => sleep(Duration::from_millis(20)).await,
                }
                sleep(Duration::from_millis(1)).await;
            }
            confirmed
        });
        Self { task, stop }
    }

    /// Stops publishing. Returns the confirmed messages.
    async fn stop(self) -> Vec<String> {
        self.stop.send_replace(true);
        self.task.await.expect("it does not panic")
    }
}

/// Receives until `last` has arrived for each name, or until a timeout.
async fn receive_until(subscription: &mut Subscription, last: &[&String]) -> Vec<String> {
    let mut events = Vec::new();
    let mut missing = last.len();
    while missing > 0 {
        let event = next(subscription).await;
        missing -= usize::from(last.contains(&&event));
        events.push(event);
    }
    events
}

/// Checks that the messages of each publisher are in order and not repeated.
fn check_order(events: &[String]) {
    let mut newest = BTreeMap::new();
    for event in events.iter().filter(|event| !event.starts_with("gap")) {
        let (name, number) = event.split_once('.').expect("publishers number their messages");
        let number: u32 = number.parse().expect("it is a number");
        let before = newest.insert(name, number).unwrap_or(0);
        assert!(before < number, "{name}.{number} came behind {name}.{before}");
    }
}

/// Checks that all `confirmed` messages were received.
fn check_complete(events: &[String], confirmed: &[String]) {
    let events: std::collections::HashSet<_> = events.iter().collect();
    let lost: Vec<_> = confirmed.iter().filter(|text| !events.contains(text)).collect();
    assert!(lost.is_empty(), "lost: {lost:?}");
}

/// HUB-1, HUB-4: with three nodes and two publishers, every subscriber receives all messages in order. If the topic has
/// a history, all subscribers see the same order.
pub(crate) async fn messages_reach_all_nodes_in_order(kind: BrokerKind) {
    let server = Broker::start(kind);
    let nodes = nodes(kind, &server, 3).await;
    for room in ["live/room", "log/room"] {
        let mut subscriptions = Vec::new();
        for node in &nodes {
            for _ in 0..3 {
                subscriptions.push(node.subscribe(&topic(room), Default::default()).await.unwrap());
            }
        }
        let publishers = [(0, "a"), (1, "b")]
            .map(|(node, name)| Publisher::start(nodes[node].clone(), name, room));
        sleep(Duration::from_millis(300)).await;
        let mut confirmed = Vec::new();
        for publisher in publishers {
            confirmed.push(publisher.stop().await);
        }
        let last: Vec<_> = confirmed.iter().filter_map(|texts| texts.last()).collect();
        let mut all = Vec::new();
        for subscription in &mut subscriptions {
            let events = receive_until(subscription, &last).await;
            check_order(&events);
            check_complete(&events, &confirmed.concat());
            assert_eq!(events.len(), confirmed.concat().len());
            all.push(events);
        }
        if room == "log/room" {
            assert!(all.iter().all(|events| *events == all[0]), "one order for all");
        }
    }
}

/// HUB-1.
pub(crate) async fn publish_to_others_skips_the_publisher_on_all_nodes(kind: BrokerKind) {
    let server = Broker::start(kind);
    let nodes = nodes(kind, &server, 2).await;
    for room in ["live/room", "log/room"].map(topic) {
        let mut own = nodes[0].subscribe(&room, Default::default()).await.unwrap();
        let mut other = nodes[1].subscribe(&room, Default::default()).await.unwrap();
        nodes[1].publish_to_others(&room, "to others", own.id()).await.unwrap();
        nodes[0].publish(&room, vec![0xff]).await.unwrap();
        assert_eq!(next(&mut other).await, "to others");
        for subscription in [&mut own, &mut other] {
            let event = timeout(PATIENCE, subscription.recv()).await.unwrap();
            let Some(Event::Message(delivery)) = event else { panic!("{event:?}") };
            assert_eq!(delivery.message.message(), &vec![0xff].into());
        }
    }
}

/// HUB-3: another node recovers the messages after a position, also while messages are published.
pub(crate) async fn a_position_is_recovered_from_on_any_node(kind: BrokerKind) {
    let server = Broker::start(kind);
    let nodes = nodes(kind, &server, 2).await;
    let room = topic("log/room");
    let mut subscription = nodes[0].subscribe(&room, Default::default()).await.unwrap();
    let begin = subscription.position().unwrap();
    let publisher = Publisher::start(nodes[0].clone(), "a", "log/room");
    let mut events = next_events(&mut subscription, 50).await;
    for round in 0..20 {
        let position = subscription.position();
        drop(subscription);
        let node = &nodes[round % 2];
        let options = SubscribeOptions::default().recover(position);
        subscription = node.subscribe(&room, options).await.unwrap();
        events.extend(next_events(&mut subscription, 20).await);
    }
    let mut confirmed = publisher.stop().await;
    confirmed.push("end.1".to_owned());
    nodes[0].publish(&room, "end.1").await.unwrap();
    events.extend(receive_until(&mut subscription, &[&"end.1".to_owned()]).await);
    assert_eq!(events, confirmed);

    // A node that has not followed the topic before reads the log.
    let fresh = hub_at(kind, &server.url(), options()).await;
    let from_begin = SubscribeOptions::default().recover(Some(begin));
    let mut subscription = fresh.subscribe(&room, from_begin).await.unwrap();
    assert_eq!(next_events(&mut subscription, confirmed.len()).await, confirmed);
    let mut newest = fresh.subscribe(&room, SubscribeOptions::default().latest(2)).await.unwrap();
    assert_eq!(next_events(&mut newest, 2).await, confirmed[confirmed.len() - 2..]);
}

/// HUB-3: positions that are no longer valid.
pub(crate) async fn a_lost_position_is_reported_as_a_gap(kind: BrokerKind) {
    let server = Broker::start(kind);
    let options = options().with_history("log/short", History::new(3, Duration::from_secs(60)));
    let hub = hub_at(kind, &server.url(), options.clone()).await;
    let room = topic("log/short");
    let first = hub.publish(&room, "1").await.unwrap().unwrap();
    for number in 2..=9 {
        hub.publish(&room, number.to_string()).await.unwrap();
    }
    let recover = |position: Position| SubscribeOptions::default().recover(position).latest(2);
    // Test the first node, which has published, and a second node.
    for hub in [&hub, &hub_at(kind, &server.url(), options).await] {
        let mut trimmed = hub.subscribe(&room, recover(first)).await.unwrap();
        assert_eq!(next_events(&mut trimmed, 3).await, ["gap Trimmed", "8", "9"]);
        let other_epoch = "1-1-1".parse().unwrap();
        let mut other = hub.subscribe(&room, recover(other_epoch)).await.unwrap();
        assert_eq!(next_events(&mut other, 3).await, ["gap Replaced", "8", "9"]);
        let future = Position::new(first.epoch(), first.offset() + 1000, 1);
        let mut other = hub.subscribe(&room, recover(future)).await.unwrap();
        assert_eq!(next(&mut other).await, "gap Replaced");
        hub.publish(&room, "go on").await.unwrap();
        assert_eq!(next(&mut trimmed).await, "go on");
        hub.publish(&room, "8").await.unwrap();
        hub.publish(&room, "9").await.unwrap();
    }
}

/// Checks that a topic without a history reports a gap if its node was disconnected, and loses messages only then.
fn check_gaps(events: &[String], confirmed: &[String], gaps: usize, is_cut_off: bool) {
    let received: std::collections::HashSet<_> = events.iter().collect();
    let lost = confirmed.iter().filter(|text| !received.contains(text)).count();
    assert!(lost == 0 || gaps > 0, "{lost} were lost without a word");
    assert_eq!(gaps > 0, is_cut_off, "{gaps} gaps");
}

/// Returns how long a broker is stopped: HUB_STOP_SECONDS, or 4 seconds.
fn stop() -> Duration {
    let seconds = std::env::var("HUB_STOP_SECONDS").ok();
    Duration::from_secs(seconds.map_or(4, |seconds| seconds.parse().expect("it is a number")))
}

/// What happens to the broker in [`the_broker_goes`].
#[derive(Debug, Clone, Copy)]
enum Fault {
    /// Killed, and started again with its data.
    Restart,
    /// Stopped by SIGSTOP for this long.
    Stop(Duration),
    /// The connections of one node are cut for this long.
    Cut(Duration),
}

impl Fault {
    async fn happen(self, server: &mut Broker, cable: &Cable) {
        match self {
            Fault::Restart => {
                server.kill();
                sleep(Duration::from_millis(300)).await;
                server.start_again();
            }
            Fault::Stop(time) => {
                server.stop();
                sleep(time).await;
                server.go_on();
            }
            Fault::Cut(time) => {
                cable.cut();
                sleep(time).await;
                cable.mend();
            }
        }
    }
}

pub(crate) async fn a_restart_of_the_broker_loses_nothing_silently(kind: BrokerKind) {
    the_broker_goes(kind, Fault::Restart).await;
}

pub(crate) async fn a_broker_that_stops_for_a_while_loses_nothing_silently(kind: BrokerKind) {
    the_broker_goes(kind, Fault::Stop(stop())).await;
}

pub(crate) async fn a_node_that_is_cut_off_loses_nothing_silently(kind: BrokerKind) {
    the_broker_goes(kind, Fault::Cut(Duration::from_secs(2))).await;
}

/// HUB-2, HUB-5: with a history, no message is lost, repeated or out of order. Without one, every gap is reported.
async fn the_broker_goes(kind: BrokerKind, fault: Fault) {
    let mut server = Broker::start(kind);
    let cable = Cable::to(server.port()).await;
    let near = hub_at(kind, &server.url(), options()).await;
    let far = hub_at(kind, &kind.url(cable.port), options()).await;
    let rooms = ["live/room", "log/room"];
    let mut subscriptions = Vec::new();
    for node in [&near, &far] {
        for room in rooms {
            subscriptions.push(node.subscribe(&topic(room), Default::default()).await.unwrap());
        }
    }
    let publishers = rooms.map(|room| Publisher::start(near.clone(), "a", room));
    let from_far = rooms.map(|room| Publisher::start(far.clone(), "b", room));
    sleep(Duration::from_millis(200)).await;
    fault.happen(&mut server, &cable).await;
    // Wait until all nodes have reconnected and have published for some time.
    let begin = Instant::now();
    while !near.stats().connected || !far.stats().connected {
        assert!(begin.elapsed() < PATIENCE, "the nodes do not come back");
        sleep(Duration::from_millis(20)).await;
    }
    sleep(Duration::from_millis(500)).await;
    let mut confirmed = [const { Vec::new() }; 2];
    for (index, publisher) in publishers.into_iter().chain(from_far).enumerate() {
        confirmed[index % 2].push(publisher.stop().await);
    }
    // Publish a last message in each topic. It arrives after all earlier messages.
    for (room, confirmed) in rooms.iter().zip(&mut confirmed) {
        while near.publish(&topic(room), "end.1").await.is_err() {
            assert!(begin.elapsed() < PATIENCE);
        }
        confirmed.push(vec!["end.1".to_owned()]);
    }
    for (index, subscription) in subscriptions.iter_mut().enumerate() {
        let events = receive_until(subscription, &[&"end.1".to_owned()]).await;
        check_order(&events);
        let confirmed = confirmed[index % 2].concat();
        let gaps = events.iter().filter(|event| event.starts_with("gap")).count();
        if index % 2 == 1 {
            check_complete(&events, &confirmed);
            assert_eq!(gaps, 0, "{fault:?}: with a history, nothing is missing");
        } else {
            let is_cut_off = index == 2 || !matches!(fault, Fault::Cut(_));
            check_gaps(&events, &confirmed, gaps, is_cut_off);
        }
    }
    let stats = far.stats();
    assert!(stats.reconnects > 0 && stats.gaps > 0, "{stats:?}");
}

/// HUB-2: the broker restarts without its data.
pub(crate) async fn lost_data_of_the_broker_is_reported_as_a_gap(kind: BrokerKind) {
    let mut server = Broker::start(kind);
    let hub = hub_at(kind, &server.url(), options()).await;
    let room = topic("log/room");
    let mut subscription = hub.subscribe(&room, Default::default()).await.unwrap();
    for number in 1..=3 {
        hub.publish(&room, number.to_string()).await.unwrap();
    }
    let mut position = None;
    for number in 1..=3 {
        let (text, newest) = next_with_position(&mut subscription).await;
        assert_eq!(text, number.to_string());
        position = Some(newest);
    }
    server.kill();
    server.forget_everything();
    server.start_again();
    let begin = Instant::now();
    while hub.publish(&room, "new").await.is_err() {
        assert!(begin.elapsed() < PATIENCE);
        sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(next_events(&mut subscription, 2).await, ["gap Replaced", "new"]);
    let options = SubscribeOptions::default().recover(position).latest(10);
    let mut late = hub.subscribe(&room, options).await.unwrap();
    assert_eq!(next_events(&mut late, 2).await, ["gap Replaced", "new"]);
}

/// HUB-5: publishing without a broker fails immediately, or waits until the timeout.
pub(crate) async fn publishing_without_a_broker_never_lies(kind: BrokerKind) {
    let mut server = Broker::start(kind);
    let fails = hub_at(kind, &server.url(), options()).await;
    let mut with_outbox = options();
    with_outbox.outbox = Outbox::Wait(2);
    with_outbox.timeout = Duration::from_secs(20);
    let waits = hub_at(kind, &server.url(), with_outbox).await;
    server.kill();
    let begin = Instant::now();
    while fails.stats().connected || waits.stats().connected {
        assert!(begin.elapsed() < PATIENCE, "the loss is not noticed");
        sleep(Duration::from_millis(10)).await;
    }
    let begin = Instant::now();
    for room in ["live/room", "log/room"] {
        assert_eq!(fails.publish(&topic(room), "x").await, Err(PublishError::Unavailable));
    }
    assert!(begin.elapsed() < Duration::from_millis(500));
    let publishing = (0..3).map(|number| {
        let waits = waits.clone();
        tokio::spawn(async move { waits.publish(&topic("log/room"), number.to_string()).await })
    });
    let (mut confirmed, mut full) = (Vec::new(), 0);
    let publishing: Vec<_> = publishing.collect();
    let refused = || publishing.iter().filter(|task| task.is_finished()).count();
    let begin = Instant::now();
    while refused() == 0 {
        assert!(begin.elapsed() < PATIENCE, "no message is refused");
        sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(refused(), 1);
    server.start_again();
    for (number, publishing) in publishing.into_iter().enumerate() {
        match publishing.await.unwrap() {
            Ok(position) => confirmed.push((position, number.to_string())),
            Err(error) => {
                assert_eq!(error, PublishError::Full(2));
                full += 1;
            }
        }
    }
    assert_eq!((confirmed.len(), full), (2, 1));
    confirmed.sort_by_key(|(position, _)| position.map(|position| position.offset()));
    let newest = SubscribeOptions::default().latest(10);
    let mut subscription = waits.subscribe(&topic("log/room"), newest).await.unwrap();
    let received = next_events(&mut subscription, 2).await;
    let confirmed: Vec<_> = confirmed.into_iter().map(|(_, text)| text).collect();
    assert_eq!(received, confirmed);
    assert!(pending(&mut subscription).await.is_empty());
}

/// HUB-6: a node that is killed.
pub(crate) async fn members_of_a_dead_node_expire(kind: BrokerKind) {
    let server = Broker::start(kind);
    let room = topic("room");
    let hub = hub_at(kind, &server.url(), options()).await;
    let url = server.url();
    let dying = std::thread::spawn(move || {
        let runtime = tokio::runtime::Runtime::new().expect("threads can be started");
        runtime.block_on(async {
            let hub = hub_at(kind, &url, options()).await;
            std::mem::forget(hub.join(&topic("room"), "ghost").await.expect("the server runs"));
            std::mem::forget(hub);
        });
        runtime.shutdown_background(); // no task of the runtime runs any more
    });
    dying.join().expect("it does not panic");
    let alive = hub.join(&room, "alive").await.unwrap();
    let leaving = hub.join(&room, "leaving").await.unwrap();
    let names = async || {
        let members = hub.members(&room).await.unwrap().into_iter();
        let mut names: Vec<_> = members.map(|member| member.data).collect();
        names.sort();
        names
    };
    assert_eq!(names().await, ["alive", "ghost", "leaving"]);
    drop(leaving);
    let begin = Instant::now();
    while names().await != ["alive"] {
        assert!(begin.elapsed() < options().presence_ttl * 3, "{:?}", names().await);
        sleep(Duration::from_millis(50)).await;
    }
    // A live member is still listed after the time to live.
    sleep(options().presence_ttl).await;
    assert_eq!(names().await, ["alive"]);
    drop(alive);
}

/// HUB-4: one subscription for all subscribers of a node, and none when the topic is unused.
pub(crate) async fn an_unused_topic_is_unsubscribed(kind: BrokerKind) {
    let server = Broker::start(kind);
    let hub = hub_at(kind, &server.url(), options()).await;
    for room in ["live/room", "log/room"].map(topic) {
        let mut subscriptions = Vec::new();
        for _ in 0..10 {
            subscriptions.push(hub.subscribe(&room, Default::default()).await.unwrap());
        }
        let received = hub.stats().received;
        hub.publish(&room, "one").await.unwrap();
        for subscription in &mut subscriptions {
            assert_eq!(next(subscription).await, "one");
        }
        assert_eq!(hub.stats().received - received, 1);
        drop(subscriptions);
        let begin = Instant::now();
        while hub.stats().topics > 0 {
            assert!(begin.elapsed() < PATIENCE);
            sleep(Duration::from_millis(50)).await;
        }
        hub.publish(&room, "nobody").await.unwrap();
        sleep(Duration::from_millis(100)).await;
        assert_eq!(hub.stats().received - received, 1, "it still reaches this node");
        let mut again = hub.subscribe(&room, Default::default()).await.unwrap();
        hub.publish(&room, "two").await.unwrap();
        assert_eq!(next(&mut again).await, "two");
        drop(again);
        let begin = Instant::now();
        while hub.stats().topics > 0 {
            assert!(begin.elapsed() < PATIENCE);
            sleep(Duration::from_millis(50)).await;
        }
    }
}

/// HUB-4: a message is encoded and compressed once for all subscribers of a node, because they share it.
pub(crate) async fn subscribers_of_a_node_share_each_message(kind: BrokerKind) {
    let server = Broker::start(kind);
    let nodes = nodes(kind, &server, 2).await;
    for room in ["live/room", "log/room"].map(topic) {
        let mut deliveries = Vec::new();
        let mut one = nodes[0].subscribe(&room, Default::default()).await.unwrap();
        let mut other = nodes[0].subscribe(&room, Default::default()).await.unwrap();
        nodes[1].publish(&room, "hello").await.unwrap();
        for subscription in [&mut one, &mut other] {
            match timeout(PATIENCE, subscription.recv()).await.unwrap() {
                Some(Event::Message(delivery)) => deliveries.push(delivery.message),
                event => panic!("no message: {event:?}"),
            }
        }
        assert!(std::ptr::eq(deliveries[0].message(), deliveries[1].message()));
    }
}

/// HUB-4.
pub(crate) async fn a_slow_subscriber_delays_no_other(kind: BrokerKind) {
    let server = Broker::start(kind);
    let hub = hub_at(kind, &server.url(), options()).await;
    for room in ["live/room", "log/room"].map(topic) {
        let small = SubscribeOptions::default().capacity(1).slow(SlowPolicy::Close);
        let mut slow = hub.subscribe(&room, small).await.unwrap();
        let mut fast = hub.subscribe(&room, Default::default()).await.unwrap();
        for number in 1..=3 {
            hub.publish(&room, number.to_string()).await.unwrap();
        }
        assert_eq!(next_events(&mut fast, 3).await, ["1", "2", "3"]);
        assert_eq!(next_events(&mut slow, 3).await, ["1", "gap Slow", "end"]);
    }
}

/// HUB-7: names that contain the broker's syntax, and a hub with another prefix.
pub(crate) async fn names_are_data(kind: BrokerKind) {
    let server = Broker::start(kind);
    let hub = hub_at(kind, &server.url(), options()).await;
    let mut other = options();
    other.prefix = "other".parse().unwrap();
    let other = hub_at(kind, &server.url(), other).await;
    let names = ["*", ">", "a.b", "a.*", "a b", "{a}", "a", "é", "$JS.API.>", "=2A"];
    let mut subscriptions = Vec::new();
    for name in names {
        for name in [name.to_owned(), format!("log/{name}")].map(|name| topic(&name)) {
            let subscription = hub.subscribe(&name, Default::default()).await.unwrap();
            let others = other.subscribe(&name, Default::default()).await.unwrap();
            subscriptions.push((name, subscription, others));
        }
    }
    for (name, ..) in &subscriptions {
        hub.publish(name, name.as_str()).await.unwrap();
        other.publish(name, "of another tenant").await.unwrap();
    }
    for (name, subscription, others) in &mut subscriptions {
        assert_eq!(next(subscription).await, name.as_str());
        assert_eq!(next(others).await, "of another tenant");
    }
    sleep(Duration::from_millis(100)).await;
    for (_, subscription, others) in &mut subscriptions {
        assert!(pending(subscription).await.is_empty() && pending(others).await.is_empty());
    }
}

/// HUB-3: a quiet topic, whose messages are all too old, does not look like a gap.
pub(crate) async fn a_quiet_topic_has_no_gap(kind: BrokerKind) {
    let server = Broker::start(kind);
    let options = options().with_history("log/brief", History::new(10, Duration::from_secs(1)));
    let hub = hub_at(kind, &server.url(), options).await;
    let room = topic("log/brief");
    let mut subscription = hub.subscribe(&room, Default::default()).await.unwrap();
    hub.publish(&room, "1").await.unwrap();
    let (text, position) = next_with_position(&mut subscription).await;
    assert_eq!(text, "1");
    sleep(Duration::from_millis(3_500)).await;
    let options = SubscribeOptions::default().recover(position);
    let mut recovered = hub.subscribe(&room, options).await.unwrap();
    hub.publish(&room, "2").await.unwrap();
    assert_eq!(next(&mut subscription).await, "2");
    assert_eq!(next(&mut recovered).await, "2");
    let newest = SubscribeOptions::default().latest(10);
    let mut newest = hub.subscribe(&room, newest).await.unwrap();
    assert_eq!(next(&mut newest).await, "2", "1 is too old");
}

pub(crate) async fn a_longer_message_than_allowed_is_not_received(kind: BrokerKind) {
    let server = Broker::start(kind);
    let publisher = hub_at(kind, &server.url(), options()).await;
    let mut strict = options();
    strict.max_message = 10;
    let node = hub_at(kind, &server.url(), strict.clone()).await;
    for name in ["room", "log/room"] {
        let room = topic(name);
        let mut subscription = node.subscribe(&room, Default::default()).await.unwrap();
        let begin = subscription.position();
        for message in ["one", "a long message", "two"] {
            publisher.publish(&room, message).await.unwrap();
        }
        assert_eq!(next_events(&mut subscription, 2).await, ["one", "two"], "{name}");
        if let Some(begin) = begin {
            let fresh = hub_at(kind, &server.url(), strict.clone()).await;
            let recover = SubscribeOptions::default().recover(begin);
            let mut recovered = fresh.subscribe(&room, recover).await.unwrap();
            assert_eq!(next_events(&mut recovered, 2).await, ["one", "two"]);
        }
        let refused = node.publish(&room, "a long message").await;
        assert_eq!(refused, Err(PublishError::TooLong(10)));
        let refused = node.join(&room, "a long message").await;
        assert!(matches!(refused, Err(PresenceError::TooLong(10))), "{refused:?}");
    }
    assert_eq!(node.stats().foreign, 2);
}

/// HUB-8: a program does the same on a local hub and on a broker.
pub(crate) async fn a_program_runs_with_and_without_a_broker(kind: BrokerKind) {
    let server = Broker::start(kind);
    let hub = hub_at(kind, &server.url(), options()).await;
    let (live, log) = (run_program(&hub, "live/room").await, run_program(&hub, "log/room").await);
    assert_eq!(live, ["1", "3", "1", "2", "3", "4", "gap Disconnected", "Ann"]);
    assert_eq!(log, ["1", "3", "1", "2", "3", "2", "3", "4", "gap Replaced", "4", "Ann"]);
    let local = Hub::local_with(options());
    assert_eq!(run_program(&local, "live/room").await, live);
    assert_eq!(run_program(&local, "log/room").await, log);
}

/// Uses each method of a hub. Returns what subscribers receive, and the members.
async fn run_program(hub: &Hub, name: &str) -> Vec<String> {
    let room = topic(name);
    let mut own = hub.subscribe(&room, Default::default()).await.unwrap();
    let mut other = hub.subscribe(&room, Default::default()).await.unwrap();
    let first = hub.publish(&room, "1").await.unwrap();
    hub.publish_to_others(&room, "2", own.id()).await.unwrap();
    hub.publish(&room, "3").await.unwrap();
    let mut lines = next_events(&mut own, 2).await;
    lines.extend(next_events(&mut other, 3).await);

    let has_history = first.is_some();
    let options = SubscribeOptions::default().recover(first);
    let mut recovered = hub.subscribe(&room, options.clone()).await.unwrap();
    hub.publish(&room, "4").await.unwrap();
    lines.extend(next_events(&mut recovered, if has_history { 3 } else { 1 }).await);
    let options = options.recover(Position::new(1, 1, 1)).latest(1);
    let mut lost = hub.subscribe(&room, options).await.unwrap();
    lines.extend(next_events(&mut lost, if has_history { 2 } else { 1 }).await);

    let _member = hub.join(&room, "Ann").await.unwrap();
    for member in hub.members(&room).await.unwrap() {
        lines.push(String::from_utf8_lossy(&member.data).into_owned());
    }
    lines
}
