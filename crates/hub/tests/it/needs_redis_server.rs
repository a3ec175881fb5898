//! Tests the guarantees of a hub on a Redis server.

use fullduplex_hub::Hub;

use crate::promises;
use crate::support::server::{Program, Server};

promises::test_promises!(Program::Redis, "needs redis-server");

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
