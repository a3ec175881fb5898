//! The steps that a `ConnectObserver` sees, of connections that open and of connections that fail.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use fullduplex_lab::ca::{Authority, Validity};
use fullduplex_lab::script::{Peer, deaf, script};
use fullduplex_net::proto::Url;
use fullduplex_net::{
    ConnectError, ConnectObserver, ConnectOptions, ConnectStep, Proxy, Resolve, Resolving, Tls,
    connect,
};

/// Records a line for each step.
#[derive(Debug, Default)]
struct Lines(Mutex<Vec<String>>);

impl Lines {
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

impl ConnectObserver for Lines {
    fn observe(&self, step: ConnectStep<'_>) {
        self.0.lock().unwrap().push(match step {
            ConnectStep::Proxy { proxy } => format!("proxy {proxy}"),
            ConnectStep::Resolving { host } => format!("resolving {host}"),
            ConnectStep::Resolved { addresses } => format!("resolved {addresses:?}"),
            ConnectStep::Attempt { address } => format!("attempt {address}"),
            ConnectStep::Failed { address, error } => {
                format!("failed {address} {:?}", error.kind())
            }
            ConnectStep::Connected { address } => format!("connected {address}"),
            ConnectStep::Tunnel => "tunnel".to_owned(),
            ConnectStep::Certificates { chain } => format!("{} certificate(s)", chain.len()),
            ConnectStep::Tls { version, cipher, .. } => format!("{version} {cipher}"),
            ConnectStep::Request(request) => format!("request {}", request.uri()),
            ConnectStep::Response(response) => format!("response {}", response.status().as_u16()),
            other => format!("{other:?}"),
        });
    }
}

#[derive(Debug)]
struct Known(Vec<SocketAddr>);

impl Resolve for Known {
    fn resolve<'a>(&'a self, _host: &'a str, _port: u16) -> Resolving<'a> {
        Box::pin(async { Ok(self.0.clone()) })
    }
}

fn observed() -> (Arc<Lines>, ConnectOptions) {
    let lines = Arc::new(Lines::default());
    let options = ConnectOptions::new().observer(lines.clone());
    (lines, options)
}

async fn open(mut peer: Peer) {
    peer.shake_hands().await;
    peer.await_end().await;
}

#[tokio::test]
async fn every_attempt_and_its_result_is_reported() {
    let (_held, nobody) = deaf();
    let server = script(open).await;
    let address = server.address();
    let (lines, mut options) = observed();
    options.resolver = Some(Arc::new(Known(vec![nobody, address])));
    let url: Url = "ws://server.example/chat?x".parse().unwrap();
    drop(connect(&url, &options).await.unwrap());
    server.finish().await;
    assert_eq!(
        lines.take(),
        [
            "resolving server.example".to_owned(),
            format!("resolved [{nobody}, {address}]"),
            format!("attempt {nobody}"),
            format!("failed {nobody} ConnectionRefused"),
            format!("attempt {address}"),
            format!("connected {address}"),
            "request /chat?x".to_owned(),
            "response 101".to_owned(),
        ]
    );
}

/// The certificates are reported even if verification fails. They are also reported for a second
/// connection, which could resume the TLS session of the first one.
#[tokio::test]
async fn certificates_are_reported_before_they_are_verified() {
    let authority = Authority::new();
    let acceptor = authority.issue(&["localhost"], Validity::Now).acceptor();
    let trusting = Tls::builder().only_roots(authority.root_pem().as_bytes()).build().unwrap();
    let stranger = Tls::builder().only_roots(Authority::new().root_pem().as_bytes()).build();
    for (tls, is_trusted) in [(&trusting, true), (&trusting, true), (&stranger.unwrap(), false)] {
        let acceptor = acceptor.clone();
        let server = script(async move |peer: Peer| {
            if let Ok(mut peer) = peer.tls(&acceptor).await {
                peer.shake_hands().await;
                peer.await_end().await;
            }
        })
        .await;
        let (lines, mut options) = observed();
        options.tls = Some(tls.clone());
        let connected = connect(server.wss_url("localhost"), &options).await;
        assert_eq!(connected.is_ok(), is_trusted, "{connected:?}");
        drop(connected);
        server.finish().await;
        let reported = lines.take();
        let at = reported.iter().position(|line| line == "1 certificate(s)").unwrap();
        let after: Vec<_> = reported[at + 1..].iter().map(|line| &**line).collect();
        let secured = ["TLSv1_3 TLS13_AES_256_GCM_SHA384", "request /", "response 101"];
        assert_eq!(after, if is_trusted { &secured[..] } else { &[] }, "{reported:?}");
    }
}

#[tokio::test]
async fn a_proxy_and_a_rejection_are_reported() {
    let proxy = script(async |mut peer: Peer| {
        peer.read_head().await;
        peer.send("HTTP/1.1 200 Go ahead\r\n\r\n").await;
        peer.answer(&["HTTP/1.1 403 Forbidden", "Content-Length: 0"]).await;
        peer.await_end().await;
    })
    .await;
    let address = proxy.address();
    let (lines, mut options) = observed();
    options.proxies = Proxy::parse(&format!("http://{address}")).unwrap().into();
    let url: Url = "ws://server.example/".parse().unwrap();
    let error = connect(&url, &options).await.unwrap_err();
    assert!(matches!(error, ConnectError::Rejected(_)), "{error}");
    proxy.finish().await;
    assert_eq!(
        lines.take(),
        [
            format!("proxy http://{address}"),
            "resolving 127.0.0.1".to_owned(),
            format!("resolved [{address}]"),
            format!("attempt {address}"),
            format!("connected {address}"),
            "tunnel".to_owned(),
            "request /".to_owned(),
            "response 403".to_owned(),
        ]
    );
}
