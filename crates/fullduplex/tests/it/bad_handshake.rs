//! Servers with an invalid opening handshake. The `WebSocket` fails once and reports the cause.

use std::time::Duration;

use fullduplex::{Builder, WebSocket};
use fullduplex_lab::script::{
    ACCEPT, CONNECTION, OPENING, Peer, SAMPLE_ACCEPT, SWITCHING, Scripted, UPGRADE, answer_to,
    close_frame, guarded, script,
};
use fullduplex_lab::trace::Trace;
use fullduplex_net::proto::Url;
use fullduplex_net::{ConnectError, ConnectOptions, connect};

/// Starts a server that answers with these lines and then sends a Close.
async fn answering(lines: &[&str]) -> Scripted<()> {
    let lines: Vec<String> = lines.iter().map(ToString::to_string).collect();
    script(async move |mut peer: Peer| {
        peer.answer(&lines.iter().map(String::as_str).collect::<Vec<_>>()).await;
        peer.try_send(close_frame(1000, "")).await.ok();
        peer.fin().await;
    })
    .await
}

/// Records a client that offers nothing and receives these lines.
async fn answered_with(lines: &[&str]) -> Trace {
    answering(lines).await.record().await.0
}

/// Records a client that offers two subprotocols and receives a valid response with this extra
/// header.
async fn choosing(header: &str) -> Trace {
    let server = answering(&[SWITCHING, UPGRADE, CONNECTION, ACCEPT, header]).await;
    let socket = WebSocket::builder(&server.url()).protocols(["chat", "v2.chat"]);
    server.record_as(socket.expect("the names are valid")).await.0
}

/// Returns a client of this server with a short deadline.
fn hasty(server: &Scripted<()>) -> Builder {
    WebSocket::builder(&server.url()).handshake_timeout(Duration::from_millis(200))
}

/// Starts a server that answers with this status and a body.
async fn rejecting(status: &'static str) -> Scripted<()> {
    let lines = [status, "X-Why: because", "Content-Length: 18"];
    script(async move |mut peer: Peer| {
        peer.answer(&lines).await;
        peer.send("no sockets today\r\n").await;
        peer.fin().await;
    })
    .await
}

/// RFC6455-4.1-24.
#[tokio::test]
async fn a_status_other_than_101_fails_with_status_and_body() {
    for status in [
        "HTTP/1.1 200 OK",
        "HTTP/1.1 301 Moved Permanently",
        "HTTP/1.1 401 Unauthorized",
        "HTTP/1.1 403 Forbidden",
        "HTTP/1.1 426 Upgrade Required",
        "HTTP/1.1 500 Internal Server Error",
    ] {
        let (_, words) = status.split_once(' ').unwrap();
        let (trace, ()) = rejecting(status).await.record().await;
        trace.assert_failed(&[], &format!("answered {words} instead of 101"));
        trace.assert_failed(&[], ": no sockets today");

        let server = rejecting(status).await;
        let url = Url::parse(&server.url()).unwrap();
        let error = connect(&url, &ConnectOptions::default()).await.unwrap_err();
        server.finish().await;
        let ConnectError::Rejected(refused) = &error else { panic!("{error:?}") };
        assert!(words.starts_with(refused.status.as_str()), "{refused:?}");
        assert_eq!(refused.headers["x-why"], "because");
        assert_eq!(refused.body, "no sockets today\r\n");
        assert!(error.to_string().contains(words), "{error}");
    }
}

#[tokio::test]
async fn a_rejection_whose_body_stalls_fails_with_its_status() {
    let server = script(async |mut peer: Peer| {
        peer.answer(&["HTTP/1.1 503 Service Unavailable", "Content-Length: 1000"]).await;
        peer.await_end().await;
    })
    .await;
    let socket = hasty(&server);
    server.record_as(socket).await.0.assert_failed(&[], "503 Service Unavailable");
}

#[tokio::test]
async fn an_interim_response_is_skipped() {
    let early = ["HTTP/1.1 103 Early Hints", "Link: </style.css>; rel=preload", ""];
    let trace = answered_with(&[&early[..], &OPENING].concat()).await;
    trace.assert_events(&Trace::OPENED_AND_CLOSED);
}

/// RFC6455-4.1-25, RFC6455-4.1-26, RFC6455-4.1-31.
#[tokio::test]
async fn header_names_and_tokens_are_case_insensitive() {
    let trace = answered_with(&[
        SWITCHING,
        "UPGRADE: WebSocket",
        "connection: keep-alive, x",
        "connection: UPGRADE",
        "sec-websocket-accept: {accept}",
        "X-Other: ignored",
    ]);
    trace.await.assert_events(&Trace::OPENED_AND_CLOSED);
}

/// RFC6455-4.1-27, RFC6455-11.3.3-1.
#[tokio::test]
async fn an_answer_without_a_valid_accept_key_fails() {
    let other = format!("Sec-WebSocket-Accept: {SAMPLE_ACCEPT}");
    let answers: [(&[&str], &str); 5] = [
        (&[], "no Sec-WebSocket-Accept"),
        (&["Sec-WebSocket-Accept:"], "does not match the key"),
        (&[&other], "does not match the key"),
        (&["Sec-WebSocket-Accept: {accept}x"], "does not match the key"),
        (&[ACCEPT, ACCEPT], "Sec-WebSocket-Accept header is repeated"),
    ];
    for (accept, cause) in answers {
        let lines = [&[SWITCHING, UPGRADE, CONNECTION], accept].concat();
        answered_with(&lines).await.assert_failed(&[], cause);
    }
}

/// RFC6455-4.1-25, RFC6455-4.1-26, RFC6455-4.1-30.
#[tokio::test]
async fn an_answer_that_does_not_upgrade_fails() {
    let answers: [(&[&str], &str); 7] = [
        (&[SWITCHING, CONNECTION], "Upgrade header is missing"),
        (&[SWITCHING, UPGRADE, UPGRADE, CONNECTION], "Upgrade header is missing, doubled"),
        (&[SWITCHING, "Upgrade: h2c", CONNECTION], "Upgrade header is missing, doubled or not"),
        (&[SWITCHING, "Upgrade: websocket, h2c", CONNECTION], "Upgrade header"),
        (&[SWITCHING, UPGRADE], "Connection header does not contain `Upgrade`"),
        (&[SWITCHING, UPGRADE, "Connection: close"], "Connection header does not contain"),
        (&["HTTP/1.0 101 Switching Protocols", UPGRADE, CONNECTION], "instead of HTTP/1.1"),
    ];
    for (lines, cause) in answers {
        answered_with(&[lines, &[ACCEPT]].concat()).await.assert_failed(&[], cause);
    }
}

/// RFC6455-4.1-28, RFC6455-4.1-29.
#[tokio::test]
async fn a_server_cannot_choose_what_was_not_offered() {
    let cases = [
        ("Sec-WebSocket-Protocol: other", "the subprotocol `other`, which was not offered"),
        ("Sec-WebSocket-Protocol: Chat", "the subprotocol `Chat`, which was not offered"),
        ("Sec-WebSocket-Protocol: chat, v2.chat", "the subprotocol `chat, v2.chat`"),
        ("Sec-WebSocket-Protocol:", "the subprotocol ``"),
        (
            "Sec-WebSocket-Protocol: chat\r\nSec-WebSocket-Protocol: chat",
            "Sec-WebSocket-Protocol header is repeated",
        ),
        (
            "Sec-WebSocket-Protocol: chat\r\nSec-WebSocket-Extensions: permessage-bzip2",
            "the extension `permessage-bzip2`, which was not offered",
        ),
        ("Sec-WebSocket-Extensions: a;;", "Sec-WebSocket-Extensions header is malformed"),
        ("X-Other: chat", "chose none of the offered subprotocols"),
    ];
    for (header, cause) in cases {
        let trace = choosing(header).await;
        trace.assert_failed(&[], cause);
        assert_eq!(trace.protocol, "");
    }
    let uninvited = [SWITCHING, UPGRADE, CONNECTION, ACCEPT, "Sec-WebSocket-Protocol: chat"];
    answered_with(&uninvited).await.assert_failed(&[], "the subprotocol `chat`");
}

#[tokio::test]
async fn a_server_chooses_an_offered_subprotocol() {
    let trace = choosing("Sec-WebSocket-Protocol:  v2.chat ").await;
    trace.assert_events(&Trace::OPENED_AND_CLOSED);
    assert_eq!(trace.protocol, "v2.chat");
}

/// Starts a server that sends the parts of `head` until the client ends the connection.
async fn pouring(head: impl Iterator<Item = String> + Send + 'static) -> Scripted<()> {
    script(async move |mut peer: Peer| {
        peer.read_head().await;
        for part in head {
            if peer.try_send(part).await.is_err() {
                break;
            }
        }
        peer.await_end().await;
    })
    .await
}

#[tokio::test]
async fn an_endless_head_fails() {
    let one_line = (0..1024).map(|_| "a".repeat(1024));
    let many_lines = (0..10_000).map(|i| format!("X-{i}: y\r\n"));
    let enough_lines = (0..101).map(|i| format!("X-{i}: y\r\n"));
    let start = || std::iter::once(format!("{SWITCHING}\r\n"));
    let end = || std::iter::once("\r\n".to_owned());
    let one_line = pouring(start().chain(["X: ".to_owned()]).chain(one_line)).await;
    one_line.record().await.0.assert_failed(&[], "the limit of 16384 bytes");
    let many_lines = pouring(start().chain(many_lines).chain(end())).await;
    many_lines.record().await.0.assert_failed(&[], "the limit of 100 headers");
    let enough_lines = pouring(start().chain(enough_lines).chain(end())).await;
    enough_lines.record().await.0.assert_failed(&[], "the limit of 100 headers");
    let interim = (0..1024).map(|_| "HTTP/1.1 103 Early Hints\r\n\r\n".to_owned());
    pouring(interim).await.record().await.0.assert_failed(&[], "interim responses");
}

#[tokio::test]
async fn a_server_that_does_not_speak_http_fails() {
    let cases = [
        ("SSH-2.0-x\r\n", "does not speak HTTP/1.1: it sent `SSH-2.0-x\\r\\n`"),
        ("\0\0\0", "does not speak HTTP/1.1: it sent `\\x00\\x00\\x00`"),
        ("HTTP/1.1 abc\r\n", "does not speak HTTP/1.1: it sent `HTTP/1.1 abc"),
        ("HTTP/1.1 101 X\nUpgrade: websocket\n\n", "does not end with CR LF"),
        ("HTTP/1.1 101 X\r\nno colon\r\n\r\n", "the HTTP head is malformed"),
        ("HTTP/1.1 101 X\r\nUpgrade : websocket\r\n\r\n", "the HTTP head is malformed"),
    ];
    for (sent, cause) in cases {
        let server = pouring(std::iter::once(sent.to_owned())).await;
        server.record().await.0.assert_failed(&[], cause);
    }
}

#[tokio::test]
async fn a_slow_answer_within_the_deadline_opens_the_connection() {
    let server = script(async |mut peer: Peer| {
        let request = peer.read_head().await;
        let answer = [answer_to(&request, &OPENING), close_frame(1000, "")].concat();
        for byte in answer {
            peer.send([byte]).await;
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        peer.fin().await;
    })
    .await;
    server.record().await.0.assert_events(&Trace::OPENED_AND_CLOSED);
}

#[tokio::test]
async fn an_answer_slower_than_the_deadline_fails() {
    let server = script(async |mut peer: Peer| {
        peer.read_head().await;
        let mut answer = format!("{SWITCHING}\r\nX-Trickle: ").into_bytes().into_iter();
        while peer.try_send([answer.next().unwrap_or(b'a')]).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    let socket = hasty(&server);
    let address = server.address();
    let (trace, ()) = server.record_as(socket).await;
    trace.assert_failed(
        &[],
        &format!("could not complete the opening handshake with {address} within 200ms"),
    );
}

#[tokio::test]
async fn a_server_that_never_answers_fails_at_the_deadline() {
    let silent = async || {
        script(async |mut peer: Peer| {
            peer.read_head().await;
            peer.await_end().await;
        })
        .await
    };
    let server = silent().await;
    let socket = hasty(&server);
    let (trace, ()) = server.record_as(socket).await;
    trace.assert_failed(&[], "the opening handshake");
    trace.assert_failed(&[], "within 200ms");

    let server = silent().await;
    let options = ConnectOptions::new().handshake_timeout(Duration::from_millis(200));
    let url = Url::parse(&server.url()).unwrap();
    let error = guarded("the deadline", connect(&url, &options)).await.unwrap_err();
    assert!(matches!(error, ConnectError::Timeout { .. }), "{error:?}");
    // The failed attempt has closed its connection.
    server.finish().await;
}
