//! Tests the guarantees of a hub on a Redis server.

mod cluster;

use std::time::{Duration, Instant};

use fullduplex_hub::{History, Hub, HubOptions, PresenceError, PublishError, SubscribeOptions};
use fullduplex_lab::broker::{Broker, BrokerKind};
use fullduplex_lab::cable::Cable;
use redis::aio::MultiplexedConnection;
use tokio::time::sleep;

use crate::promises;
use crate::support::tls::Tls;
use crate::support::{PATIENCE, next, next_events, topic};

promises::test_promises!(BrokerKind::Redis, "needs redis-server");

#[tokio::test]
#[ignore = "needs redis-server"]
async fn the_connect_error_names_the_cause() {
    let server = Broker::start_with(BrokerKind::Redis, &["--requirepass", "secret"]);
    let refused =
        async |url: &str| Hub::redis(url, promises::options()).await.unwrap_err().to_string();
    let port = server.port();
    let no_password = refused(&server.url()).await;
    assert!(no_password.contains("give user and password in the URL"), "{no_password}");
    let wrong = refused(&format!("redis://:hunter2@127.0.0.1:{port}")).await;
    assert!(wrong.contains(&format!("127.0.0.1:{port}")) && !wrong.contains("hunter2"), "{wrong}");
    let url = format!("redis://127.0.0.1:1,redis://:secret@127.0.0.1:{port}");
    assert!(Hub::redis(&url, promises::options()).await.is_ok(), "the second address works");
    let nobody = refused("redis://127.0.0.1:1").await;
    assert!(nobody.starts_with("could not connect to Redis at 127.0.0.1:1: "), "{nobody}");
    assert!(refused("127.0.0.1:6379").await.contains("the URL cannot be used"));
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn the_error_for_a_missing_permission_lists_what_a_user_needs() {
    let needed = "+@read +@write +@scripting +@pubsub +@connection +info +time";
    let names = "~{fullduplex:* &{fullduplex:*";
    let user = |name: &str, rules: &str| format!("{name} on >x {rules}");
    let users = [
        user("enough", &format!("{names} {needed}")),
        user("streamless", "~* &* +@all -xadd"),
        user("scriptless", "~* &* +@all -evalsha"),
        user("deaf", "~* resetchannels +@all"),
        user("stranger", &format!("{names} +@read")),
    ];
    let options: Vec<&str> =
        users.iter().flat_map(|user| ["--user"].into_iter().chain(user.split(' '))).collect();
    let server = Broker::start_with(BrokerKind::Redis, &options);
    let connect = async |user: &str| {
        let url = format!("redis://{user}:x@127.0.0.1:{}", server.port());
        Hub::redis(&url, promises::options()).await
    };
    let check = |error: String| assert!(error.contains(needed), "{error}");
    let (live, log) = (topic("room"), topic("log/room"));

    let enough = connect("enough").await.unwrap();
    for room in [&live, &log] {
        let mut subscription = enough.subscribe(room, Default::default()).await.unwrap();
        enough.publish(room, "hello").await.unwrap();
        assert_eq!(next(&mut subscription).await, "hello");
    }
    let _member = enough.join(&live, "Ann").await.unwrap();
    assert_eq!(enough.members(&live).await.unwrap().len(), 1);

    check(connect("stranger").await.unwrap_err().to_string());
    for user in ["streamless", "scriptless", "deaf"] {
        let hub = connect(user).await.unwrap();
        check(hub.publish(&log, "x").await.unwrap_err().to_string());
        let subscribed = hub.subscribe(&log, Default::default()).await;
        match user {
            "streamless" => drop(subscribed.unwrap()), // the log exists
            _ => check(subscribed.unwrap_err().to_string()),
        }
        assert_eq!(hub.publish(&live, "x").await.is_ok(), user != "deaf");
    }
}

/// The key of the log of the topic `log/room`.
const LOG: &str = "{fullduplex:log=2Froom}:log";

async fn client(server: &Broker) -> MultiplexedConnection {
    let client = redis::Client::open(server.url()).unwrap();
    client.get_multiplexed_async_connection().await.unwrap()
}

/// Sends a command, such as `DEL key`.
async fn command(client: &mut MultiplexedConnection, words: &[&str]) {
    let command = words[1..].iter().fold(redis::cmd(words[0]), |mut command, word| {
        command.arg(word);
        command
    });
    let _: redis::Value = command.query_async(client).await.unwrap();
}

/// HUB-2: another program writes to the log and to the channels of a hub.
#[tokio::test]
#[ignore = "needs redis-server"]
async fn foreign_entries_are_skipped() {
    let server = Broker::start(BrokerKind::Redis);
    let hub = promises::hub_at(BrokerKind::Redis, &server.url(), promises::options()).await;
    let mut client = client(&server).await;
    let room = topic("log/room");
    let mut subscription = hub.subscribe(&room, Default::default()).await.unwrap();
    let begin = subscription.position();
    let huge = "x".repeat(4 << 20);
    let far = "99999999999999";
    for (number, entry) in [
        &["foo", "bar"][..],
        &["a", "b", "c", far],
        &["a", "b", "c", "d", "e", "f"],
        &["c", &huge, "t", far],
        &["c", "", "t", far],
    ]
    .into_iter()
    .enumerate()
    {
        command(&mut client, &[&["XADD", LOG, "*"], entry].concat()).await;
        assert!(hub.publish(&room, number.to_string()).await.is_ok(), "{entry:?}");
    }
    let all = ["0", "1", "2", "3", "4"];
    assert_eq!(next_events(&mut subscription, 5).await, all);
    // The last entry is foreign when a second node opens the log.
    command(&mut client, &["XADD", LOG, "*", "c", "?", "t", far]).await;
    let fresh = promises::hub_at(BrokerKind::Redis, &server.url(), promises::options()).await;
    let recover = SubscribeOptions::default().recover(begin);
    let mut recovered = fresh.subscribe(&room, recover).await.unwrap();
    assert_eq!(next_events(&mut recovered, 5).await, all);
    for channel in ["{fullduplex:log=2Froom}:entries", "{fullduplex:room}:live"] {
        command(&mut client, &["SPUBLISH", channel, "?"]).await;
    }
    hub.publish(&room, "end").await.unwrap();
    assert_eq!(next(&mut subscription).await, "end");
    assert_eq!(next(&mut recovered).await, "end");
    for stats in [hub.stats(), fresh.stats()] {
        assert!(stats.foreign > 0, "{stats:?}");
        assert_eq!((stats.reconnects, stats.refused, stats.gaps), (0, 0, 0), "{stats:?}");
    }
}

/// Another program has written more to the log than the history keeps, and longer messages than are allowed.
#[tokio::test]
#[ignore = "needs redis-server"]
async fn a_reply_has_no_more_than_the_options_allow() {
    const LIMIT: usize = 10_000;
    let server = Broker::start(BrokerKind::Redis);
    let mut client = client(&server).await;
    let far = "99999999999999";
    let (long, short) = (format!("t{}", "x".repeat(1 << 20)), format!("t{}", "x".repeat(100)));
    for content in [&long; 20].into_iter().chain([&short; 1000]).chain([&long; 5]) {
        command(&mut client, &["XADD", LOG, "*", "c", content, "t", far]).await;
    }
    let mut options =
        HubOptions::default().with_history("log/", History::new(10, Duration::from_secs(60)));
    options.max_message = LIMIT;
    let cable = Cable::to(server.port()).await;
    let hub = Hub::redis(&BrokerKind::Redis.url(cable.port), options).await.unwrap();
    let before = cable.passed().down;
    let latest = SubscribeOptions::default().latest(100);
    let mut subscription = hub.subscribe(&topic("log/room"), latest).await.unwrap();
    hub.publish(&topic("log/room"), "end").await.unwrap();
    let received = next_events(&mut subscription, 7).await;
    assert_eq!(received.last().unwrap(), "end", "after the messages of 100 bytes");
    let read = cable.passed().down - before;
    assert!(read < 10_000, "{read} bytes");
    // A message that is published, and not stored.
    let channel = "{fullduplex:room}:live";
    let mut live = hub.subscribe(&topic("room"), Default::default()).await.unwrap();
    let foreign = hub.stats().foreign;
    command(&mut client, &["SPUBLISH", channel, &long]).await;
    hub.publish(&topic("room"), "short").await.unwrap();
    assert_eq!(next(&mut live).await, "short");
    assert_eq!(hub.stats().foreign, foreign + 1);
}

/// HUB-5: another program has replaced the log of one topic. The other topics go on, without further reconnects.
#[tokio::test]
#[ignore = "needs redis-server"]
async fn a_key_of_another_type_affects_its_topic_only() {
    let server = Broker::start(BrokerKind::Redis);
    let hub = promises::hub_at(BrokerKind::Redis, &server.url(), promises::options()).await;
    let mut client = client(&server).await;
    let (broken, good) = (topic("log/room"), topic("log/good"));
    let mut in_broken = hub.subscribe(&broken, Default::default()).await.unwrap();
    let mut in_good = hub.subscribe(&good, Default::default()).await.unwrap();
    command(&mut client, &["SET", LOG, "?"]).await;
    let refused = hub.publish(&broken, "x").await;
    assert!(matches!(&refused, Err(PublishError::Refused(_))), "{refused:?}");
    command(&mut client, &["CLIENT", "KILL", "TYPE", "pubsub"]).await;
    let begin = Instant::now();
    while hub.stats().refused < 3 {
        assert!(begin.elapsed() < PATIENCE, "{:?}", hub.stats());
        sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(hub.stats().reconnects, 1);
    hub.publish(&good, "hello").await.unwrap();
    assert_eq!(next(&mut in_good).await, "hello");
    let refused = hub.subscribe(&broken, SubscribeOptions::default().latest(1)).await;
    assert!(refused.is_err());

    command(&mut client, &["DEL", LOG]).await;
    hub.publish(&broken, "again").await.unwrap();
    assert_eq!(next_events(&mut in_broken, 2).await, ["gap Replaced", "again"]);
    assert_eq!(hub.stats().reconnects, 1);
}

/// HUB-6.
#[tokio::test]
#[ignore = "needs redis-server"]
async fn foreign_members_are_skipped() {
    const MEMBERS: &str = "{fullduplex:room}:members";
    let server = Broker::start(BrokerKind::Redis);
    let hub = promises::hub_at(BrokerKind::Redis, &server.url(), promises::options()).await;
    let mut client = client(&server).await;
    let room = topic("room");
    let member = hub.join(&room, "Ann").await.unwrap();
    for (field, value) in [("7", "?"), ("x", "99999999999999 data"), ("8", ""), ("9", "x y")] {
        command(&mut client, &["HSET", MEMBERS, field, value]).await;
    }
    let members = hub.members(&room).await.unwrap();
    assert_eq!(members.iter().map(|it| it.id).collect::<Vec<_>>(), [member.id()]);
    assert_eq!(hub.stats().foreign, 1);
    command(&mut client, &["SET", MEMBERS, "?"]).await;
    let refused = hub.members(&room).await;
    assert!(matches!(&refused, Err(PresenceError::Refused(_))), "{refused:?}");
    let refused = hub.join(&room, "Bob").await;
    assert!(matches!(&refused, Err(PresenceError::Refused(_))), "{refused:?}");
    assert_eq!(hub.stats().reconnects, 0);
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn tls_trusts_the_authorities_of_a_file() {
    let tls = Tls::new();
    let [certificate, key, root] = tls.paths();
    let server = Broker::start_with(
        BrokerKind::Redis,
        &[
            &["--port", "0", "--tls-port", "{port}", "--tls-auth-clients", "no"][..],
            &["--tls-cert-file", &certificate, "--tls-key-file", &key],
            &["--tls-ca-cert-file", &root],
        ]
        .concat(),
    );
    let url = format!("rediss://127.0.0.1:{}", server.port());
    tls.check(BrokerKind::Redis, &url).await;
}
