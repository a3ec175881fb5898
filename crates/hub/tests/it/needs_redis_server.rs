//! Tests the guarantees of a hub on a Redis server.

use std::time::Duration;

use fullduplex_hub::Hub;

use crate::promises::{self, Fault};
use crate::support::server::{Program, Server};

macro_rules! promises {
    ($($name:ident;)*) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        #[ignore = "needs redis-server"]
        async fn $name() {
            promises::$name(Program::Redis).await;
        }
    )*};
}

promises! {
    lost_data_of_the_broker_is_reported_as_a_gap;
    a_lost_position_is_reported_as_a_gap;
    a_position_is_recovered_from_on_any_node;
    publish_to_others_skips_the_publisher_on_all_nodes;
    a_quiet_topic_has_no_gap;
    a_slow_subscriber_delays_no_other;
    an_unused_topic_is_unsubscribed;
    members_of_a_dead_node_expire;
    messages_reach_all_nodes_in_order;
    names_are_data;
    publishing_without_a_broker_never_lies;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs redis-server"]
async fn a_restart_of_the_broker_loses_nothing_silently() {
    promises::the_broker_goes(Program::Redis, Fault::Restart).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs redis-server"]
async fn a_broker_that_stops_for_a_while_loses_nothing_silently() {
    promises::the_broker_goes(Program::Redis, Fault::Stop(promises::stop())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs redis-server"]
async fn a_node_that_is_cut_off_loses_nothing_silently() {
    promises::the_broker_goes(Program::Redis, Fault::Cut(Duration::from_secs(2))).await;
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn the_connect_error_names_the_cause() {
    let server = Server::start_with(Program::Redis, &["--requirepass", "secret"]);
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
