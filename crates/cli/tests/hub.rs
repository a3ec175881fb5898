//! `fdx hub` and `fdx listen --hub` as processes.
#![allow(clippy::unwrap_used, reason = "a test may end by a panic")]

mod support;

use support::{fdx, stderr};

#[test]
fn a_hub_needs_a_url_with_a_known_scheme_and_a_good_topic() {
    let output = fdx(&["hub", "publish", "http://127.0.0.1", "room", "x"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("nats://"), "{}", stderr(&output));
    let output = fdx(&["hub", "publish", "nats://127.0.0.1", "", "x"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("it is empty"), "{}", stderr(&output));
    let output = fdx(&["hub", "publish", "nats://127.0.0.1:1", "room", "x"]).output().unwrap();
    assert_eq!(output.status.code(), Some(3));
    assert!(stderr(&output).contains("could not connect to NATS at 127.0.0.1:1"));
}

mod needs_nats_server {
    use std::io::{BufRead, BufReader};
    use std::time::{Duration, Instant};

    use fullduplex_lab::broker::{Broker, BrokerKind};
    use fullduplex_lab::script::guarded;
    use fullduplex_net::{ConnectOptions, Socket, connect};

    use super::support::{Listening, fdx, pipe, stdout};

    async fn client(url: &str) -> Socket {
        connect(url, &ConnectOptions::default()).await.unwrap().0
    }

    /// HUB-1: two servers share one room, and `fdx hub` can publish to it.
    #[tokio::test]
    #[ignore = "needs nats-server"]
    async fn two_servers_share_one_room() {
        let broker = Broker::start(BrokerKind::Nats);
        let hub = broker.url();
        let arguments = ["--hub", &hub, "--topic", "room"];
        let one = Listening::start_mode("--broadcast", &arguments);
        let other = Listening::start_mode("--broadcast", &arguments);
        let (mut here, mut there) = (client(&one.url).await, client(&other.url).await);
        let mut beside = client(&one.url).await;
        // The other server returns a message once it has accepted its client.
        loop {
            here.send("hello").await.unwrap();
            let wait = Duration::from_millis(200);
            if let Ok(message) = tokio::time::timeout(wait, there.recv()).await {
                assert_eq!(message.unwrap(), Some("hello".into()));
                break;
            }
        }
        there.send("hello back").await.unwrap();
        assert_eq!(guarded("an answer", here.recv()).await.unwrap(), Some("hello back".into()));
        let published = pipe(&["hub", "publish", &hub, "room"], "from a script\n");
        assert!(published.status.success());
        assert_eq!(guarded("a line", here.recv()).await.unwrap(), Some("from a script".into()));
        for client in [&mut there, &mut beside] {
            loop {
                let message = guarded("a line", client.recv()).await.unwrap();
                if message == Some("from a script".into()) {
                    break;
                }
            }
        }
    }

    /// HUB-3.
    #[test]
    #[ignore = "needs nats-server"]
    fn a_position_that_was_printed_is_recovered_from() {
        let broker = Broker::start(BrokerKind::Nats);
        let url = broker.url();
        let of_topic = |command: &'static str| ["hub", command, &url, "room", "--history", "10:60"];
        let lines = "1\n2\n3\n";
        assert!(pipe(&of_topic("publish"), lines).status.success());
        let subscribe = of_topic("subscribe");
        let newest = pipe(&[&subscribe[..], &["--latest", "3", "--count", "3"]].concat(), "");
        assert_eq!(stdout(&newest), lines);
        let first = ["--latest", "3", "--count", "1", "--ndjson"];
        let first = pipe(&[&subscribe[..], &first].concat(), "");
        let event: serde_json::Value = serde_json::from_str(stdout(&first)).unwrap();
        assert_eq!(event["text"], "1");
        let position = event["position"].as_str().unwrap();
        let rest = ["--recover", position, "--count", "2"];
        assert_eq!(stdout(&pipe(&[&subscribe[..], &rest].concat(), "")), "2\n3\n");
    }

    #[test]
    #[ignore = "needs nats-server"]
    fn members_are_printed() {
        let broker = Broker::start(BrokerKind::Nats);
        let url = broker.url();
        let list = ["hub", "presence", &url, "room"];
        assert_eq!(stdout(&pipe(&list, "")), "");
        let mut member = fdx(&[&list[..], &["--join", "Ann"]].concat()).spawn().unwrap();
        let begin = Instant::now();
        loop {
            let listed = pipe(&list, "");
            let line = BufReader::new(&listed.stdout[..]).lines().next();
            if line.is_some_and(|line| line.unwrap().ends_with(" Ann")) {
                break;
            }
            assert!(begin.elapsed() < Duration::from_secs(10), "Ann does not come");
        }
        member.kill().unwrap();
        member.wait().unwrap();
    }
}
