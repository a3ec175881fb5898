//! Tests the guarantees of a hub on a NATS server.

use fullduplex_hub::{Hub, HubOptions, PresenceError, PublishError};

use crate::promises;
use crate::support::server::{Program, Server};
use crate::support::topic;

promises::test_promises!(Program::Nats, "needs nats-server");

#[tokio::test]
#[ignore = "needs nats-server"]
async fn the_connect_error_names_the_cause() {
    let server = Server::start_with(Program::Nats, &["--user", "ann", "--pass", "secret"]);
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
    let hub = Hub::nats(&url, HubOptions::default()).await.unwrap();
    assert_eq!(hub.publish(&topic("room"), "hello").await, Ok(None));
    let large = hub.publish(&topic("room"), vec![0; 2 << 20]).await;
    assert!(matches!(large, Err(PublishError::Refused(_))), "{large:?}");
    let members = hub.members(&topic("room")).await;
    assert!(matches!(members, Err(PresenceError::Refused(_))), "{members:?}");
}
