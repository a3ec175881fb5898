//! Our client through forward proxies, including those of other projects, to our server.

#[path = "proxies/needs_tinyproxy_and_microsocks.rs"]
mod needs_tinyproxy_and_microsocks;

use std::sync::Arc;

use fullduplex::{Builder, Event, Failure, Proxies, Proxy, Tls, WebSocket};
use fullduplex_lab::ca::{Authority, Validity};
use fullduplex_lab::echo;
use fullduplex_lab::script::{Peer, deaf, guarded, script};
use fullduplex_lab::trace::Trace;
use fullduplex_net::{ConnectError, ProxyError};
use futures_util::StreamExt;
use tokio::io::copy_bidirectional;
use tokio::net::TcpStream;

/// Sends a message and waits for its echo.
async fn assert_echoes(socket: Builder) {
    let socket = socket.open().expect("the URL is valid");
    let mut events = socket.events();
    let mut talk = async || {
        while let Some(event) = events.next().await {
            match event {
                Event::Open => socket.send("through").expect("the socket is open"),
                Event::Message(message) => {
                    assert_eq!(message.data.as_text(), Some("through"));
                    socket.close();
                }
                Event::Error => panic!("{:?}", socket.failure()),
                Event::Close(close) => assert!(close.was_clean),
            }
        }
    };
    guarded("the end", talk()).await;
}

/// Returns the failure of a socket that does not open.
async fn failure(socket: Builder) -> Arc<Failure> {
    let socket = socket.open().expect("the URL is valid");
    guarded("the end", socket.closed()).await;
    socket.failure().expect("the socket has failed")
}

fn proxy_error(failure: &Failure) -> &ProxyError {
    match failure {
        Failure::Connect(ConnectError::Proxy { error, .. }) => error,
        other => panic!("{other:?}"),
    }
}

fn through(url: &str, proxy: &str) -> Builder {
    WebSocket::builder(url).proxy(Proxy::parse(proxy).expect("the URL is one of a proxy"))
}

#[tokio::test]
async fn an_excluded_host_is_connected_directly() {
    let (_held, refusing) = deaf();
    let server = format!("ws://127.0.0.1:{}/", echo::start(None));
    let proxies = Proxies::from(Proxy::parse(&format!("http://{refusing}")).unwrap());
    let direct = proxies.clone().except("127.0.0.0/8");
    assert_echoes(WebSocket::builder(&server).proxy(direct)).await;
    let failure = failure(WebSocket::builder(&server).proxy(proxies)).await;
    assert!(
        matches!(*failure, Failure::Connect(ConnectError::ProxyUnreachable { .. })),
        "{failure:?}"
    );
    let text = failure.to_string();
    assert!(text.contains(&format!("could not connect to {refusing}")), "{text}");
}

/// TLS to the proxy, and within it TLS to the server, each with its own roots.
#[tokio::test]
async fn an_https_proxy_is_connected_over_tls() {
    let [of_proxy, of_server] = [Authority::new(), Authority::new()];
    let server = echo::start(Some(&of_server.issue(&["localhost"], Validity::Now)));
    let acceptor = of_proxy.issue(&["127.0.0.1"], Validity::Now).acceptor();
    let proxy = script(async move |peer: Peer| {
        let mut peer = peer.tls(&acceptor).await.unwrap();
        let request = peer.read_head().await;
        peer.send("HTTP/1.1 200 Connection established\r\nContent-Length: 5\r\n\r\n").await;
        let mut upstream = TcpStream::connect(("127.0.0.1", server)).await.unwrap();
        copy_bidirectional(&mut peer.into_inner(), &mut upstream).await.ok();
        request
    })
    .await;
    let trust = |authority: &Authority| Tls::with_extra_roots(authority.root_pem().as_bytes());
    let through = Proxy::parse(&format!("https://u:p@{}", proxy.address())).unwrap();
    let socket = WebSocket::builder(&format!("wss://localhost:{server}/"))
        .proxy(through.with_tls(trust(&of_proxy).unwrap()))
        .tls(trust(&of_server).unwrap());
    assert_echoes(socket).await;
    assert_eq!(
        proxy.finish().await,
        format!(
            "CONNECT localhost:{server} HTTP/1.1\r\nHost: localhost:{server}\r\n\
             Proxy-Authorization: Basic dTpw\r\n\r\n"
        )
    );
}

/// All tests of a process share its environment, so this test runs in another process.
#[test]
fn the_environment_is_used_on_request_only() {
    const CHILD: &str = "FULLDUPLEX_LAB_SERVER";
    if let Ok(server) = std::env::var(CHILD) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        return runtime.block_on(async {
            assert_echoes(WebSocket::builder(&server)).await;
            let socket = WebSocket::builder(&server).proxy(Proxies::from_env().unwrap());
            Trace::record(socket).await.assert_failed(&[], "through the proxy http://127.0.0.1:");
        });
    }
    let (_held, refusing) = deaf();
    let status = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "the_environment_is_used_on_request_only", "--quiet"])
        .env(CHILD, format!("ws://127.0.0.1:{}/", echo::start(None)))
        .env("http_proxy", format!("http://{refusing}"))
        .status();
    assert!(status.unwrap().success());
}
