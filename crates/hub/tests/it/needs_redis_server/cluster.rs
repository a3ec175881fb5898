//! A hub on a Redis Cluster of three servers.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use fullduplex_hub::{Hub, SubscribeOptions, Subscription};
use fullduplex_lab::broker::{Broker, BrokerKind};
use redis::aio::MultiplexedConnection;
use redis::{FromRedisValue, Value};
use tokio::time::sleep;

use crate::promises::{self, hub_at};
use crate::support::{PATIENCE, next, next_events, topic};

/// Three servers, each with a third of the slots.
struct Cluster {
    servers: Vec<Broker>,
}

impl Cluster {
    async fn start() -> Self {
        let (mut servers, mut addresses) = (Vec::new(), Vec::new());
        for _ in 0..3 {
            let bus = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            let bus = bus.to_string();
            let options = [
                &["--cluster-enabled", "yes", "--cluster-port", &bus][..],
                &[
                    "--cluster-node-timeout",
                    "2000",
                    "--appendonly",
                    "yes",
                    "--appendfsync",
                    "always",
                ],
            ]
            .concat();
            servers.push(Broker::start_with(BrokerKind::Redis, &options));
            addresses.push((servers[addresses.len()].port().to_string(), bus));
        }
        let cluster = Self { servers };
        for (number, (first, last)) in
            [("0", "5460"), ("5461", "10922"), ("10923", "16383")].into_iter().enumerate()
        {
            let range = ["CLUSTER", "ADDSLOTSRANGE", first, last];
            let _: Value = cluster.ask(number, &range).await;
            let (port, bus) = &addresses[number];
            let _: Value = cluster.ask(0, &["CLUSTER", "MEET", "127.0.0.1", port, bus]).await;
        }
        cluster.wait_until_whole().await;
        cluster
    }

    /// Waits until each server knows all slots.
    async fn wait_until_whole(&self) {
        let begin = Instant::now();
        for server in 0..3 {
            loop {
                let info: String = self.ask(server, &["CLUSTER", "INFO"]).await;
                let is_whole = ["cluster_state:ok", "cluster_slots_ok:16384", "cluster_size:3"];
                if is_whole.iter().all(|line| info.lines().any(|it| it == *line)) {
                    break;
                }
                assert!(begin.elapsed() < PATIENCE, "{info}");
                sleep(Duration::from_millis(50)).await;
            }
        }
    }

    async fn connect(&self, server: usize) -> MultiplexedConnection {
        let client = redis::Client::open(self.servers[server].url()).unwrap();
        client.get_multiplexed_async_connection().await.unwrap()
    }

    /// Sends a command to one server.
    async fn ask<T: FromRedisValue>(&self, server: usize, words: &[&str]) -> T {
        let mut command = redis::cmd(words[0]);
        for word in &words[1..] {
            command.arg(*word);
        }
        command.query_async(&mut self.connect(server).await).await.unwrap()
    }

    async fn hub(&self, server: usize) -> Hub {
        hub_at(BrokerKind::Redis, &self.servers[server].url(), promises::options()).await
    }
}

/// Names of topics, which have slots on all servers.
fn names() -> impl Iterator<Item = String> {
    (0..8).flat_map(|number| [format!("room/{number}"), format!("log/{number}")])
}

/// HUB-1, HUB-3, HUB-6: it does not matter to which server a node connects first.
#[tokio::test]
#[ignore = "needs redis-server"]
async fn a_cluster_is_one_broker() {
    let cluster = Cluster::start().await;
    let [one, other] = [cluster.hub(0).await, cluster.hub(1).await];
    let numbers = ["0", "1", "2", "3", "4"];
    for name in names() {
        let room = topic(&name);
        let mut subscription = other.subscribe(&room, Default::default()).await.unwrap();
        let begin = subscription.position();
        for number in numbers {
            one.publish(&room, number).await.unwrap();
        }
        assert_eq!(next_events(&mut subscription, 5).await, numbers, "{name}");
        if begin.is_some() {
            let recover = SubscribeOptions::default().recover(begin);
            let mut recovered = cluster.hub(2).await.subscribe(&room, recover).await.unwrap();
            assert_eq!(next_events(&mut recovered, 5).await, numbers, "{name}");
        }
        let _member = one.join(&room, "Ann").await.unwrap();
        assert_eq!(other.members(&room).await.unwrap().len(), 1, "{name}");
    }
    let slots = [0, 1, 2].map(|server| cluster.ask::<u64>(server, &["DBSIZE"]));
    for keys in slots {
        assert!(keys.await > 0, "the topics are spread over all servers");
    }
    assert_eq!((one.stats().reconnects, other.stats().reconnects), (0, 0));
}

/// Receives until this message. Returns the messages before it, without gaps.
async fn until(subscription: &mut Subscription, last: &str) -> Vec<String> {
    let mut messages = Vec::new();
    loop {
        match next(subscription).await {
            message if message == last => return messages,
            gap if gap.starts_with("gap") => {}
            message => messages.push(message),
        }
    }
}

/// HUB-5: confirmed messages of topics with a history arrive once and in order while each server restarts.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs redis-server"]
async fn a_restart_of_its_servers_loses_nothing_silently() {
    let mut cluster = Cluster::start().await;
    let [one, other] = [cluster.hub(0).await, cluster.hub(1).await];
    let names: Vec<_> = names().filter(|name| name.starts_with("log/")).collect();
    let mut subscriptions = Vec::new();
    for name in &names {
        let room = topic(name);
        subscriptions.push(other.subscribe(&room, Default::default()).await.unwrap());
    }
    let mut confirmed = vec![Vec::new(); names.len()];
    for server in 0..3 {
        cluster.servers[server].kill();
        for (number, name) in names.iter().enumerate() {
            let message = format!("{server} down");
            if one.publish(&topic(name), message.clone()).await.is_ok() {
                confirmed[number].push(message);
            }
        }
        cluster.servers[server].start_again();
        cluster.wait_until_whole().await;
        for (number, name) in names.iter().enumerate() {
            let (begin, mut attempt) = (Instant::now(), 0);
            let mut message = format!("{server} up");
            while one.publish(&topic(name), message.clone()).await.is_err() {
                assert!(begin.elapsed() < PATIENCE, "{name}: {:?}", one.stats());
                sleep(Duration::from_millis(50)).await;
                attempt += 1;
                message = format!("{server} up, attempt {attempt}");
            }
            confirmed[number].push(message);
        }
    }
    for (number, name) in names.iter().enumerate() {
        one.publish(&topic(name), "end").await.unwrap();
        let mut received = until(&mut subscriptions[number], "end").await;
        // A message that was not confirmed may arrive too.
        received.retain(|message| confirmed[number].contains(message));
        assert_eq!(received, confirmed[number], "{name}");
    }
    assert!(other.stats().reconnects > 0);
}

/// HUB-2: when a slot moves to another server, its subscribers are told that messages may be missing.
#[tokio::test]
#[ignore = "needs redis-server"]
async fn a_slot_that_moves_is_a_gap() {
    let cluster = Cluster::start().await;
    let hub = cluster.hub(0).await;
    let room = topic("room");
    let mut subscription = hub.subscribe(&room, Default::default()).await.unwrap();
    let slot: u32 = cluster.ask(0, &["CLUSTER", "KEYSLOT", "{fullduplex:room}"]).await;
    let owner = slot as usize / 5461;
    let taker: String = cluster.ask((owner + 1) % 3, &["CLUSTER", "MYID"]).await;
    let slot = slot.to_string();
    // First the new owner, as the documentation of Redis asks for.
    for server in [1, 0, 2].map(|step| (owner + step) % 3) {
        let _: Value = cluster.ask(server, &["CLUSTER", "SETSLOT", &slot, "NODE", &taker]).await;
    }
    assert_eq!(next(&mut subscription).await, "gap Disconnected");
    let publisher = cluster.hub(2).await;
    publisher.publish(&room, "hello").await.unwrap();
    assert_eq!(next(&mut subscription).await, "hello");
}
