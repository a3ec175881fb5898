//! Runs the examples.
#![allow(clippy::unwrap_used, reason = "a test may end by a panic")]
#![allow(dead_code, reason = "the `main` of an example is not called")]

#[path = "../examples/awaiting.rs"]
mod awaiting;
#[path = "../examples/events.rs"]
mod events;
#[path = "../examples/game.rs"]
mod game;
#[path = "../examples/many.rs"]
mod many;
#[path = "../examples/private_ca.rs"]
mod private_ca;
#[path = "../examples/proxy.rs"]
mod proxy;
#[path = "../examples/reconnect.rs"]
mod reconnect;
#[path = "../examples/server.rs"]
mod server;
#[path = "../examples/streams.rs"]
mod streams;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use fullduplex::Event;
use fullduplex_lab::ca::{Authority, Validity};
use fullduplex_lab::echo;
use fullduplex_net::proto::{CloseCode, CloseFrame};
use fullduplex_net::{Request, Server, ServerOptions};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

const HANG: Duration = Duration::from_secs(60);

fn echo_url() -> String {
    format!("ws://127.0.0.1:{}/", echo::start(None))
}

#[test]
fn events() {
    assert_eq!(events::run(&echo_url()).unwrap(), 1000);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn awaiting() {
    assert_eq!(timeout(HANG, awaiting::run(&echo_url())).await.unwrap().unwrap(), 1005);
}

#[tokio::test]
async fn streams() {
    assert_eq!(timeout(HANG, streams::run(&echo_url())).await.unwrap().unwrap(), 10_000_000);
}

#[tokio::test]
async fn reconnect() {
    let connections = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&connections);
    let server = Server::bind("127.0.0.1:0", ServerOptions::default()).await.unwrap();
    let url = format!("ws://{}/", server.local_addr().unwrap());
    // The first connection is lost; the second one is closed with 1008.
    let serve = move |request: Request| {
        let is_first = count.fetch_add(1, Ordering::Relaxed) == 0;
        async move {
            let token = request.headers().get("authorization").unwrap();
            assert!(token.to_str().unwrap().starts_with("Bearer fresh-"), "{token:?}");
            let mut socket = request.accept().await?;
            assert_eq!(socket.recv().await?, Some("subscribe".into()));
            if !is_first {
                let code = CloseCode::new(1008).unwrap();
                socket.close(Some(CloseFrame::code(code))).await?;
            }
            fullduplex::net::HandlerResult::Ok(())
        }
    };
    tokio::spawn(server.serve(serve));
    let ended = tokio::task::spawn_blocking(move || reconnect::run(url));
    let close = timeout(HANG, ended).await.unwrap().unwrap();
    assert_eq!((close.code, connections.load(Ordering::Relaxed)), (1008, 2));
}

#[test]
fn private_ca() {
    let authority = Authority::new();
    let port = echo::start(Some(&authority.issue(&["localhost", "127.0.0.1"], Validity::Now)));
    let url = format!("wss://127.0.0.1:{port}/");
    let answer = private_ca::run(&url, authority.root_pem().as_bytes()).unwrap();
    assert_eq!(answer.as_deref(), Some("hello"));
    let error = private_ca::run(&url, Authority::new().root_pem().as_bytes()).unwrap_err();
    assert!(error.to_string().contains("certificate"), "{error}");
}

#[tokio::test]
async fn proxy() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let proxy = format!("http://{}", listener.local_addr().unwrap());
    let connect = tokio::spawn(async move {
        let mut client = BufReader::new(listener.accept().await.unwrap().0);
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            client.read_line(&mut head).await.unwrap();
        }
        let target = head.split(' ').nth(1).unwrap().to_owned();
        let mut server = TcpStream::connect(&target).await.unwrap();
        client.write_all(b"HTTP/1.1 200 Connected\r\n\r\n").await.unwrap();
        copy_bidirectional(&mut client, &mut server).await.ok();
        head
    });
    let answer = timeout(HANG, proxy::run(&echo_url(), Some(&proxy))).await.unwrap();
    assert_eq!(answer.unwrap(), "hello");
    assert!(timeout(HANG, connect).await.unwrap().unwrap().starts_with("CONNECT 127.0.0.1:"));
}

#[test]
fn game() {
    assert!(game::run(&echo_url()).unwrap() > 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many() {
    assert_eq!(timeout(HANG, many::run(&echo_url(), 100)).await.unwrap().unwrap(), 100);
}

#[tokio::test]
async fn server() {
    let answer = timeout(HANG, server::run()).await.unwrap().unwrap();
    let Some(Event::Message(message)) = answer else { panic!("{answer:?}") };
    assert_eq!(message.data.as_text(), Some("HELLO"));
}
