//! `fdx probe` with servers that work and servers that fail.
#![allow(clippy::unwrap_used, reason = "a test may end by a panic")]

mod support;

use std::process::Output;

use fullduplex_lab::ca::{Authority, Validity};
use fullduplex_lab::echo;
use fullduplex_lab::folder::Folder;
use fullduplex_lab::script::{CLOSE, FIN, PING, PONG, Peer, close_frame, deaf, frame, script};
use fullduplex_net::proto::Timeouts;
use serde_json::Value;

use support::{Listening, pipe, run_blocking, stderr, stdout};

#[track_caller]
fn assert_screen(output: &Output, code: i32, expected: &[&str]) {
    let screen = stdout(output);
    assert_eq!(output.status.code(), Some(code), "{screen}{}", stderr(output));
    for expected in expected {
        assert!(screen.contains(expected), "`{expected}` is missing in {screen}");
    }
    assert!(screen.lines().count() <= 40, "{screen}");
    assert!(screen.lines().all(|line| line.chars().count() <= 100), "{screen}");
    assert!(!screen.contains('\x1b'), "no colours where there is no terminal");
    assert_eq!(stderr(output), "", "everything is on the screen");
}

#[test]
fn a_server_that_works() {
    let server = Listening::start(&["--protocol", "chat"]);
    let arguments = ["probe", "--pings", "5", "--protocol", "chat", "--user", "me:secret"];
    let output = pipe(&[&arguments[..], &[&server.url]].concat(), "");
    assert_screen(
        &output,
        0,
        &[
            "opened and closed in order",
            "127.0.0.1",
            "connected after",
            "GET / HTTP/1.1",
            "authorization: …",
            "101 Switching Protocols",
            "extensions permessage-deflate  subprotocol chat",
            "5 of 5 answered  min ",
            "p99",
            "1000 clean  answered after",
            "the server ended TCP",
        ],
    );
}

#[test]
fn a_server_that_speaks_http2() {
    let authority = Authority::new();
    let folder = Folder::new();
    let ca = folder.write("ca.pem", &authority.root_pem());
    let port = echo::start_http2(
        Some(&authority.issue(&["localhost"], Validity::Now)),
        Timeouts::default(),
    );
    let url = format!("wss://localhost:{port}/");
    let arguments = ["probe", "--http2", "--pings", "1", "--ca", ca.to_str().unwrap(), &url];
    assert_screen(
        &pipe(&arguments, ""),
        0,
        &[
            "opened and closed in order",
            "TLS 1.3  TLS13_AES_256_GCM_SHA384  ALPN h2",
            "CONNECT https://localhost",
            "stream 1  the server allows at most 256 streams",
            "200 OK",
            "1 of 1 answered",
            "the server ended the stream after",
        ],
    );
    let output = pipe(&[&arguments[..], &["--json"]].concat(), "");
    let hop = &serde_json::from_str::<Value>(stdout(&output)).unwrap()["hops"][0];
    assert_eq!(hop["tls"]["alpn"], "h2");
    assert_eq!(hop["http2"], serde_json::json!({ "stream": 1, "max_streams": 256 }));
}

#[test]
fn a_certificate_is_shown_whether_or_not_it_is_trusted() {
    let authority = Authority::new();
    let folder = Folder::new();
    let ca = folder.write("ca.pem", &authority.root_pem());
    let ca = ca.to_str().unwrap();
    let probe = |validity, arguments: &[&str]| {
        let port = echo::start(Some(&authority.issue(&["localhost"], validity)));
        let url = format!("wss://localhost:{port}/");
        pipe(&[&["probe", "--pings", "1", &url], arguments].concat(), "")
    };
    let certificate = "CN=fullduplex lab server  for localhost";
    let output = probe(Validity::Now, &["--ca", ca]);
    let cipher = "TLS 1.3  TLS13_AES_256_GCM_SHA384";
    assert_screen(
        &output,
        0,
        &[cipher, "verified", certificate, "issued by CN=fullduplex lab root"],
    );
    let output = probe(Validity::Now, &[]);
    let unknown = "signed by an unknown";
    assert_screen(&output, 3, &["no connection", "not trusted", certificate, unknown]);
    let output = probe(Validity::Expired, &["--ca", ca]);
    assert_screen(&output, 3, &["to 2020-02-01", "the certificate has expired on 2020-02-01"]);
    let output = probe(Validity::Expired, &["--insecure"]);
    assert_screen(&output, 0, &["not verified", "was not verified, as --insecure asks"]);
}

#[test]
fn a_refused_connection_has_a_screen() {
    let (_held, nobody) = deaf();
    let output = pipe(&["probe", &format!("ws://{nobody}/")], "");
    assert_screen(&output, 3, &["no connection", "refused", "does the server run"]);
    let output = pipe(&["probe", "ws://127.0.0.1:0x/"], "");
    assert_eq!(output.status.code(), Some(2), "{}", stdout(&output));
}

#[tokio::test]
async fn a_rejection_is_shown_with_its_status_and_body() {
    let server = script(async |mut peer: Peer| {
        let status = "HTTP/1.1 401 Unauthorized";
        peer.answer(&[status, "Set-Cookie: id=secret", "Content-Length: 9"]).await;
        peer.send("no\x1b[31m!!!").await;
        peer.fin().await;
    })
    .await;
    let url = server.url();
    let output = run_blocking(move || pipe(&["probe", "--json", &url], "")).await;
    server.finish().await;
    assert_eq!(output.status.code(), Some(3));
    let report: Value = serde_json::from_str(stdout(&output)).unwrap();
    assert_eq!(report["hops"][0]["response"]["first_line"], "401 Unauthorized");
    assert_eq!(report["body"], "no\x1b[31m!!");
    assert!(report["findings"][0]["advice"].as_str().unwrap().contains("--user"));
    assert!(!stdout(&output).contains("secret"));
}

/// The server does not close when the client closes.
#[tokio::test]
async fn a_server_that_answers_neither_ping_nor_close() {
    let server = script(async |mut peer: Peer| {
        peer.shake_hands().await;
        assert_eq!(peer.read_payload(FIN | PING).await, 0u32.to_be_bytes());
        assert_eq!(peer.read_close().await, Some(1000));
        peer.await_end().await;
    })
    .await;
    let url = server.url();
    let output = run_blocking(move || pipe(&["probe", "--answer-timeout", "0.1", &url], "")).await;
    server.finish().await;
    let told =
        ["0 of 1 answered", "1006 not clean", "ping 1 had no answer", "did not answer the clos"];
    assert_screen(&output, 1, &told);
}

#[tokio::test]
async fn a_server_that_leaves_tcp_to_the_client() {
    let server = script(async |mut peer: Peer| {
        peer.shake_hands().await;
        let ping = peer.read_payload(FIN | PING).await;
        peer.send(frame(FIN | PONG, ping)).await;
        peer.read_payload(FIN | CLOSE).await;
        peer.send(close_frame(1000, "bye")).await;
        peer.await_end().await;
    })
    .await;
    let url = server.url();
    let arguments = ["probe", "--answer-timeout", "0.3", "--pings", "1", "--no-compression"];
    let output = run_blocking(move || pipe(&[&arguments[..], &[&url]].concat(), "")).await;
    server.finish().await;
    let told = ["1000 \"bye\" clean", "this client ended TCP", "the server kept TCP open"];
    assert_screen(&output, 0, &told);
}

#[tokio::test]
async fn a_server_that_closes_first() {
    let server = script(async |mut peer: Peer| {
        peer.shake_hands().await;
        peer.read_payload(FIN | PING).await;
        peer.send(close_frame(1008, "who are you?")).await;
        peer.read_close().await;
        peer.fin().await;
    })
    .await;
    let url = server.url();
    let output = run_blocking(move || pipe(&["probe", &url], "")).await;
    server.finish().await;
    let told = [
        "1008 \"who are you?\" clean  the server closed first",
        "closed by itself, with code 1008",
    ];
    assert_screen(&output, 0, &told);
}

#[tokio::test]
async fn a_redirect_is_shown_as_a_hop() {
    let server = script(async |mut peer: Peer| {
        peer.shake_hands().await;
        peer.read_close().await;
        peer.send(close_frame(1000, "")).await;
        peer.fin().await;
    })
    .await;
    let location = format!("Location: {}there", server.url());
    let before = script(async move |mut peer: Peer| {
        peer.answer(&["HTTP/1.1 302 Found", &location, "Content-Length: 0"]).await;
        peer.fin().await;
    })
    .await;
    let url = before.url();
    let there = format!("302 Found, to {}there", server.url());
    let run = move || pipe(&["probe", "--pings", "0", "--redirects", "1", &url], "");
    let output = run_blocking(run).await;
    before.finish().await;
    server.finish().await;
    assert_screen(&output, 0, &[&there, "GET /there HTTP/1.1", "it took 1 redirect", "0 of 0"]);
}

#[tokio::test]
async fn a_server_that_vanishes() {
    let server = script(async |mut peer: Peer| {
        peer.shake_hands().await;
        peer.read_payload(FIN | PING).await;
        peer.reset_after(b"").await;
    })
    .await;
    let url = server.url();
    let output = run_blocking(move || pipe(&["probe", &url], "")).await;
    server.finish().await;
    let told = ["did not close in order", "0 of 1 answered", "1006 not clean", "was lost"];
    assert_screen(&output, 1, &told);
}

/// The server accepts connections like a server of another protocol.
#[tokio::test]
async fn a_server_that_sends_nothing() {
    let server = script(async |mut peer: Peer| peer.await_end().await).await;
    let url = server.url();
    let output = run_blocking(move || pipe(&["probe", "--timeout", "0.1", &url], "")).await;
    server.finish().await;
    let told = ["no connection", "connected after", "GET / HTTP/1.1", "sends nothing"];
    assert_screen(&output, 3, &told);
}
