//! Tests the guarantees of a hub on a NATS server.

use std::time::{Duration, Instant};

use async_nats::jetstream;
use fullduplex_hub::{Hub, HubOptions, PresenceError, PublishError, SubscribeOptions};
use fullduplex_lab::broker::{Broker, BrokerKind};
use fullduplex_lab::folder::Folder;
use tokio::time::sleep;

use crate::promises;
use crate::support::tls::Tls;
use crate::support::{PATIENCE, next, next_events, topic};

promises::test_promises!(BrokerKind::Nats, "needs nats-server");

#[tokio::test]
#[ignore = "needs nats-server"]
async fn the_connect_error_names_the_cause() {
    let server = Broker::start_with(BrokerKind::Nats, &["--user", "ann", "--pass", "secret"]);
    let port = server.port();
    let refused =
        async |url: &str| Hub::nats(url, promises::options()).await.unwrap_err().to_string();
    let no_password = refused(&server.url()).await;
    assert!(no_password.contains("give user and password in the URL"), "{no_password}");
    let wrong = refused(&format!("nats://ann:hunter2@127.0.0.1:{port}")).await;
    assert!(wrong.contains(&format!("127.0.0.1:{port}")) && !wrong.contains("hunter2"), "{wrong}");
    let url = format!("nats://ann:secret@127.0.0.1:{port}");
    let without = refused(&url).await;
    assert!(without.contains("JetStream is off"), "{without}");
    let nobody = refused("nats://127.0.0.1:1").await;
    assert!(nobody.starts_with("could not connect to NATS at 127.0.0.1:1: "), "{nobody}");
    assert!(refused("http://127.0.0.1").await.contains("the URL cannot be used"));

    // Topics without a history need no JetStream.
    let mut options = HubOptions::default();
    options.max_message = 4 << 20; // the server allows less
    let hub = Hub::nats(&url, options).await.unwrap();
    assert_eq!(hub.publish(&topic("room"), "hello").await, Ok(None));
    let large = hub.publish(&topic("room"), vec![0; 2 << 20]).await;
    assert!(matches!(large, Err(PublishError::Refused(_))), "{large:?}");
    let members = hub.members(&topic("room")).await;
    assert!(matches!(members, Err(PresenceError::Refused(_))), "{members:?}");
}

/// Users of a server with JetStream.
const USERS: &str = r#"authorization: { users: [
  { user: enough, password: x, permissions: {
      publish: { allow: ["fullduplex.>", "$JS.>"] }, subscribe: { allow: ["fullduplex.>", "_INBOX.>"] } } }
  { user: mute, password: x, permissions: { publish: { deny: "fullduplex.>" } } }
  { user: reader, password: x, permissions: { publish: { deny: [
      "fullduplex.live.>", "fullduplex.log.>", "fullduplex.members.>" ] } } }
  { user: writer, password: x, permissions: { subscribe: { deny: ["fullduplex.live.>", "fullduplex.entries.>"] } } }
  { user: plain, password: x, permissions: { publish: { deny: "$JS.>" } } }
] }"#;

/// HUB-5: the server does not answer requests that it denies. They fail, and the error names the subject.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs nats-server"]
async fn a_denied_subject_is_an_error() {
    let folder = Folder::new();
    let config = folder.write("users.conf", USERS).display().to_string();
    let server = Broker::start_with(BrokerKind::Nats, &["--jetstream", "--config", &config]);
    let mut options = promises::options();
    options.timeout = PATIENCE;
    let connect = async |user: &str| {
        Hub::nats(&format!("nats://{user}:x@127.0.0.1:{}", server.port()), options.clone()).await
    };
    let check = |error: String, subject: &str| {
        let hint = format!("add `{}.>`", subject.split('.').next().unwrap());
        assert!(error.contains(&format!("to the subject {subject}")), "{error}");
        assert!(error.contains(&hint), "{error}");
    };
    let begin = Instant::now();
    check(connect("mute").await.unwrap_err().to_string(), "fullduplex.echo.");
    let enough = connect("enough").await.unwrap();
    for room in ["live/room", "log/room"].map(topic) {
        let mut subscription = enough.subscribe(&room, Default::default()).await.unwrap();
        enough.publish(&room, "hello").await.unwrap();
        assert_eq!(next(&mut subscription).await, "hello");
        let _member = enough.join(&room, "Ann").await.unwrap();
        assert_eq!(enough.members(&room).await.unwrap().len(), 1);
    }
    check(connect("plain").await.unwrap_err().to_string(), "$JS.API.STREAM.");

    let reader = connect("reader").await.unwrap();
    let mut was_refused = true;
    for _ in 0..20 {
        // If a denial is recorded late, it makes the next message fail.
        match reader.publish(&topic("room"), "x").await {
            Ok(_) => assert!(std::mem::take(&mut was_refused), "two messages in a row were lost"),
            Err(error) => {
                was_refused = true;
                check(error.to_string(), "fullduplex.live.room");
            }
        }
    }
    let error = reader.publish(&topic("log/room"), "x").await.unwrap_err();
    check(error.to_string(), "fullduplex.log.10000.60.log=2Froom");
    let error = reader.join(&topic("room"), "x").await.unwrap_err();
    check(error.to_string(), "fullduplex.members.");

    let writer = connect("writer").await.unwrap();
    for (name, subject) in [("room", "live.room"), ("log/room", "entries.10000.60.log=2Froom")] {
        // The first denial may be recorded late.
        let mut refused = None;
        for number in 0..20 {
            let room = topic(&format!("{name}{number}"));
            refused = refused.or(writer.subscribe(&room, Default::default()).await.err());
        }
        check(refused.unwrap().to_string(), &format!("fullduplex.{subject}"));
    }
    assert!(writer.publish(&topic("log/room"), "x").await.is_ok());
    assert!(begin.elapsed() < PATIENCE, "the errors came before the timeout");
}

/// HUB-2: another program publishes to the subjects of a hub.
#[tokio::test]
#[ignore = "needs nats-server"]
async fn foreign_entries_are_skipped() {
    const LOG: &str = "fullduplex.log.10000.60.log=2Froom";
    let server = Broker::start(BrokerKind::Nats);
    let hub = promises::hub_at(BrokerKind::Nats, &server.url(), promises::options()).await;
    let client = async_nats::connect(server.url()).await.unwrap();
    let stream = jetstream::new(client.clone());
    // The first entry of the log is foreign.
    stream.publish(LOG, "?".into()).await.unwrap().await.unwrap();
    let room = topic("log/room");
    let mut subscription = hub.subscribe(&room, Default::default()).await.unwrap();
    let begin = subscription.position();
    for number in ["0", "1", "2"] {
        hub.publish(&room, number).await.unwrap();
        stream.publish(LOG, vec![0; 500_000].into()).await.unwrap().await.unwrap();
    }
    assert_eq!(next_events(&mut subscription, 3).await, ["0", "1", "2"]);
    let fresh = promises::hub_at(BrokerKind::Nats, &server.url(), promises::options()).await;
    let recover = SubscribeOptions::default().recover(begin);
    let mut recovered = fresh.subscribe(&room, recover).await.unwrap();
    assert_eq!(next_events(&mut recovered, 3).await, ["0", "1", "2"]);
    for subject in ["fullduplex.entries.10000.60.log=2Froom", "fullduplex.live.room"] {
        client.publish(subject, "?".into()).await.unwrap();
    }
    client.flush().await.unwrap();
    hub.publish(&room, "end").await.unwrap();
    assert_eq!(next(&mut subscription).await, "end");
    assert_eq!(next(&mut recovered).await, "end");
    for stats in [hub.stats(), fresh.stats()] {
        assert!(stats.foreign > 0, "{stats:?}");
        assert_eq!((stats.reconnects, stats.refused, stats.gaps), (0, 0, 0), "{stats:?}");
    }
}

/// HUB-6.
#[tokio::test]
#[ignore = "needs nats-server"]
async fn foreign_members_are_skipped() {
    let server = Broker::start(BrokerKind::Nats);
    let hub = promises::hub_at(BrokerKind::Nats, &server.url(), promises::options()).await;
    let room = topic("room");
    let member = hub.join(&room, "Ann").await.unwrap();
    let stream = jetstream::new(async_nats::connect(server.url()).await.unwrap());
    let subject = "fullduplex.members.2000.room.nobody";
    stream.publish(subject, "?".into()).await.unwrap().await.unwrap();
    let members = hub.members(&room).await.unwrap();
    assert_eq!(members.iter().map(|it| it.id).collect::<Vec<_>>(), [member.id()]);
    assert_eq!(hub.stats().foreign, 1);
}

/// HUB-2: an operator deletes the stream of a history, and another node creates it again.
#[tokio::test]
#[ignore = "needs nats-server"]
async fn a_deleted_stream_is_reported_as_a_gap() {
    let server = Broker::start(BrokerKind::Nats);
    let hub = promises::hub_at(BrokerKind::Nats, &server.url(), promises::options()).await;
    let room = topic("log/room");
    let mut subscription = hub.subscribe(&room, Default::default()).await.unwrap();
    for number in ["1", "2", "3"] {
        hub.publish(&room, number).await.unwrap();
    }
    assert_eq!(next_events(&mut subscription, 3).await, ["1", "2", "3"]);
    let stream = jetstream::new(async_nats::connect(server.url()).await.unwrap());
    stream.delete_stream("fullduplex_log_10000_60").await.unwrap();
    let other = promises::hub_at(BrokerKind::Nats, &server.url(), promises::options()).await;
    other.publish(&room, "lost or told").await.unwrap();
    let begin = Instant::now();
    while hub.stats().reconnects == 0 || !hub.stats().connected {
        assert!(begin.elapsed() < PATIENCE, "{:?}", hub.stats());
        sleep(Duration::from_millis(20)).await;
    }
    other.publish(&room, "end").await.unwrap();
    let told = ["gap Replaced", "lost or told", "end"];
    assert_eq!(next_events(&mut subscription, 3).await, told);
    hub.publish(&room, "from the first node").await.unwrap();
    assert_eq!(next(&mut subscription).await, "from the first node");
}

#[tokio::test]
#[ignore = "needs nats-server"]
async fn a_stream_with_another_configuration_is_refused() {
    let server = Broker::start(BrokerKind::Nats);
    let stream = jetstream::new(async_nats::connect(server.url()).await.unwrap());
    let config = jetstream::stream::Config {
        name: "fullduplex_log_10000_60".into(),
        subjects: vec!["elsewhere".into()],
        ..Default::default()
    };
    stream.create_stream(config).await.unwrap();
    let refused = Hub::nats(&server.url(), promises::options()).await.unwrap_err().to_string();
    assert!(refused.contains("exists with another configuration"), "{refused}");
}

#[tokio::test]
#[ignore = "needs nats-server"]
async fn tls_trusts_the_authorities_of_a_file() {
    let tls = Tls::new();
    let [certificate, key, _] = tls.paths();
    let options = ["--jetstream", "--tls", "--tlscert", &certificate, "--tlskey", &key];
    let server = Broker::start_with(BrokerKind::Nats, &options);
    tls.check(BrokerKind::Nats, &format!("tls://127.0.0.1:{}", server.port())).await;
}
