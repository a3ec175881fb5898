//! URLs and servers that a hub cannot use. The error says what to do.

use std::net::Ipv4Addr;

use fullduplex_hub::Hub;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::promises::options;

/// Starts a server that sends each client a greeting, and answers each read. Returns its address.
async fn server(greeting: &'static str, answer: &'static str) -> String {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            tokio::spawn(async move {
                client.write_all(greeting.as_bytes()).await.ok();
                let mut buffer = [0; 4096];
                while client.read(&mut buffer).await.is_ok_and(|count| count > 0) {
                    client.write_all(answer.as_bytes()).await.ok();
                }
            });
        }
    });
    address
}

async fn nats_error(url: &str) -> String {
    Hub::nats(url, options()).await.unwrap_err().to_string()
}

async fn redis_error(url: &str) -> String {
    Hub::redis(url, options()).await.unwrap_err().to_string()
}

#[tokio::test]
async fn the_error_for_a_bad_url_shows_the_form_and_no_password() {
    for url in ["nats://", "nats://ann:hunter2@exa mple", "nats://ann:hunter2@127.0.0.1:99999"] {
        let error = nats_error(url).await;
        assert!(error.contains("nats://user:password@host:4222"), "{error}");
        assert!(!error.contains("hunter2"), "{error}");
    }
    for url in ["redis://", "redis://:hunter2/2@127.0.0.1", "redis://:hunter2@127.0.0.1/x"] {
        let error = redis_error(url).await;
        assert!(error.contains("redis://user:password@host:6379/0"), "{error}");
        assert!(!error.contains("hunter2"), "{error}");
    }
}

#[tokio::test]
async fn the_error_for_an_old_nats_server_names_both_versions() {
    let greeting = "INFO {\"server_id\":\"A\",\"version\":\"2.8.4\",\"max_payload\":1048576}\r\n";
    let error = nats_error(&format!("nats://{}", server(greeting, "PONG\r\n").await)).await;
    assert!(error.contains("\"2.8.4\"") && error.contains("2.9 or newer"), "{error}");
}

#[tokio::test]
async fn the_error_for_an_old_redis_server_names_the_version_that_is_needed() {
    // The client sends several commands at once.
    let unknown = "-ERR unknown command 'HELLO'\r\n-ERR\r\n-ERR\r\n-ERR\r\n";
    let error = redis_error(&format!("redis://{}", server("", unknown).await)).await;
    assert!(error.contains("Redis 6 or newer is needed"), "{error}");
}

#[tokio::test]
async fn the_error_for_another_server_names_its_address() {
    let other = server("", "HTTP/1.1 400 Bad Request\r\n\r\n").await;
    let error = redis_error(&format!("redis://{other}")).await;
    assert!(error.contains(&other) && error.contains("is not Redis"), "{error}");
    let error = nats_error(&format!("nats://{other}")).await;
    assert!(error.contains(&other) && error.contains("check the address"), "{error}");
    let error = redis_error(&format!("rediss://{other}")).await;
    assert!(error.contains(&other) && error.contains("uses TLS on this port"), "{error}");
}
