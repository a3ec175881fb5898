//! Servers with invalid TLS. `wss` fails once and reports the cause.

use std::time::Duration;

use fullduplex::{Builder, Tls, WebSocket};
use fullduplex_lab::ca::{Authority, Identity, Validity};
use fullduplex_lab::script::{FIN, Peer, Scripted, TEXT, close_frame, frame, guarded, script};
use fullduplex_lab::trace::Trace;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// Starts a server with this identity that sends one message and closes.
async fn secured(identity: &Identity) -> Scripted<()> {
    let acceptor = identity.acceptor();
    script(async move |peer: Peer| {
        // A client that does not trust the certificate ends the handshake.
        let Ok(mut peer) = peer.tls(&acceptor).await else { return };
        peer.shake_hands().await;
        peer.send(frame(FIN | TEXT, "secret")).await;
        peer.send(close_frame(1000, "")).await;
        peer.fin().await;
    })
    .await
}

fn trusting(url: &str, authority: &Authority) -> Builder {
    let tls = Tls::with_extra_roots(authority.root_pem().as_bytes());
    WebSocket::builder(url).tls(tls.expect("the root is valid"))
}

/// Records a client that trusts `authority` and connects to `host`.
async fn try_wss(identity: &Identity, host: &str, authority: &Authority) -> Trace {
    let server = secured(identity).await;
    let socket = trusting(&server.wss_url(host), authority);
    server.record_as(socket).await.0
}

/// RFC6455-10.6-1.
#[tokio::test]
async fn a_certificate_of_an_extra_root_is_valid_for_each_of_its_names() {
    let authority = Authority::new();
    let identity = authority.issue(&["localhost", "127.0.0.1"], Validity::Now);
    for host in ["localhost", "127.0.0.1"] {
        let trace = try_wss(&identity, host, &authority).await;
        trace.assert_events(&["open", r#"message "secret""#, r#"close 1000 "" clean"#]);
    }
}

/// RFC6455-4.1-9.
#[tokio::test]
async fn a_certificate_for_another_name_fails() {
    let authority = Authority::new();
    let identity = authority.issue(&["elsewhere.example", "127.0.0.2"], Validity::Now);
    for host in ["localhost", "127.0.0.1"] {
        let trace = try_wss(&identity, host, &authority).await;
        trace.assert_failed(&[], &format!("could not establish TLS with {host}:"));
        trace.assert_failed(&[], "not valid for name");
        trace.assert_failed(&[], "elsewhere.example");
    }
}

/// RFC6455-4.1-9.
#[tokio::test]
async fn an_expired_certificate_fails() {
    let authority = Authority::new();
    let identity = authority.issue(&["localhost"], Validity::Expired);
    try_wss(&identity, "localhost", &authority).await.assert_failed(&[], "expired");
}

/// RFC6455-4.1-9.
#[tokio::test]
async fn an_unknown_authority_fails() {
    let identity = Authority::new().issue(&["localhost"], Validity::Now);
    let trace = try_wss(&identity, "localhost", &Authority::new()).await;
    trace.assert_failed(&[], "signed by an unknown authority");

    // The default trusts only the platform's roots, so the connection fails too.
    let server = secured(&identity).await;
    let socket = WebSocket::builder(&server.wss_url("localhost"));
    server.record_as(socket).await.0.assert_failed(&[], "signed by an unknown authority");
}

/// RFC6455-4.1-9, RFC6455-4.1-10, RFC6455-4.1-11: only the host name (SNI) is sent in the clear,
/// even if TLS fails.
#[tokio::test]
async fn the_request_is_only_sent_over_tls() {
    let server = script(async |peer: Peer| {
        let mut stream = peer.into_inner();
        let mut hello = vec![0; 5];
        stream.read_exact(&mut hello).await.unwrap();
        assert_eq!(hello[..2], [0x16, 3], "a handshake record of TLS");
        hello.resize(5 + usize::from(u16::from_be_bytes([hello[3], hello[4]])), 0);
        stream.read_exact(&mut hello[5..]).await.unwrap();
        stream.write_all(b"HTTP/1.1 101 Switching Protocols\r\n\r\n").await.unwrap();
        stream.shutdown().await.unwrap();
        let mut behind = Vec::new();
        stream.read_to_end(&mut behind).await.unwrap();
        (hello, behind)
    })
    .await;
    let socket = trusting(&server.wss_url("localhost"), &Authority::new());
    let (trace, (hello, behind)) = server.record_as(socket).await;
    trace.assert_failed(&[], "could not establish TLS with localhost:");
    let has = |bytes: &[u8], wanted: &[u8]| bytes.windows(wanted.len()).any(|part| part == wanted);
    assert!(has(&hello, b"localhost"), "RFC6455-4.1-10: {hello:02x?}");
    // At most a TLS alert follows.
    assert!(behind.is_empty() || behind[..2] == [0x15, 3], "{behind:02x?}");
    assert!(!has(&hello, b"GET ") && !has(&behind, b"GET "));
}

/// RFC6455-7.1.1-1: the client answers `close_notify` with its own.
#[tokio::test]
async fn a_closed_connection_sends_close_notify() {
    let authority = Authority::new();
    let acceptor = authority.issue(&["localhost"], Validity::Now).acceptor();
    let server = script(async move |peer: Peer| {
        let mut peer = peer.tls(&acceptor).await.unwrap();
        peer.shake_hands().await;
        peer.send(close_frame(1000, "")).await;
        assert_eq!(peer.read_close().await, Some(1000));
        let mut stream = peer.into_inner();
        stream.shutdown().await.unwrap();
        // Without `close_notify` this is an unexpected end of file.
        stream.read_to_end(&mut Vec::new()).await.unwrap()
    })
    .await;
    let socket = trusting(&server.wss_url("localhost"), &authority);
    let (trace, behind) = server.record_as(socket).await;
    trace.assert_events(&["open", r#"close 1000 "" clean"#]);
    assert_eq!(behind, 0);
}

#[tokio::test]
async fn a_server_without_tls_fails_wss() {
    let server = script(async |mut peer: Peer| {
        peer.send("HTTP/1.1 400 Bad Request\r\n\r\n").await;
        peer.fin().await;
    })
    .await;
    let socket = trusting(&server.wss_url("localhost"), &Authority::new());
    server.record_as(socket).await.0.assert_failed(&[], "could not establish TLS with localhost:");
}

#[tokio::test]
async fn a_server_with_tls_fails_ws() {
    let server = secured(&Authority::new().issue(&["127.0.0.1"], Validity::Now)).await;
    server.record().await.0.assert_failed(&[], "does not speak HTTP/1.1");
}

#[tokio::test]
async fn a_silent_tls_server_fails_at_the_deadline() {
    let server = script(async |mut peer: Peer| peer.await_end().await).await;
    let socket = trusting(&server.wss_url("localhost"), &Authority::new())
        .handshake_timeout(Duration::from_millis(200));
    server.record_as(socket).await.0.assert_failed(&[], "within 200ms");
}

/// Without `close_notify`, an attacker may have cut the connection.
#[tokio::test]
async fn an_end_without_close_notify_fails() {
    let authority = Authority::new();
    let acceptor = authority.issue(&["localhost"], Validity::Now).acceptor();
    let server = script(async move |peer: Peer| {
        let mut peer = peer.tls(&acceptor).await.unwrap();
        peer.shake_hands().await;
        peer.send(frame(FIN | TEXT, "secret")).await;
    })
    .await;
    let socket = trusting(&server.wss_url("localhost"), &authority);
    let (trace, ()) = server.record_as(socket).await;
    trace.assert_failed(&["open", r#"message "secret""#], "the connection was lost");
}

/// FC-16
#[tokio::test]
async fn a_failure_knows_its_phase_and_the_alert() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("wss://localhost:{}/", listener.local_addr().unwrap().port());
    let refusing = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.read_u8().await.unwrap();
        // TLS 1.2, a fatal alert: handshake_failure.
        stream.write_all(&[21, 3, 3, 0, 2, 2, 40]).await.unwrap();
        drop(listener);
        while stream.read(&mut [0; 1024]).await.is_ok_and(|count| count > 0) {}
    });
    for (phase, alert) in [("tls", Some(40)), ("connect", None)] {
        let socket = WebSocket::new(&url, ()).unwrap();
        assert_eq!(guarded("the close event", socket.closed()).await.code, 1006);
        let failure = socket.failure().unwrap();
        assert_eq!((failure.phase(), failure.tls_alert()), (phase, alert), "{failure}");
    }
    refusing.abort();
}
