//! Proxies that do not connect (fault FT-34). The `WebSocket` fails once, reports the cause, and
//! never interprets the proxy's bytes as the server's.

use std::net::SocketAddr;
use std::time::Duration;

use fullduplex::{Builder, Proxy, WebSocket};
use fullduplex_lab::script::{Peer, Scripted, script};
use tokio::io::AsyncReadExt;

/// Returns a client that connects through this proxy, with a short deadline.
fn through(proxy: &str) -> Builder {
    let proxy = Proxy::parse(proxy).expect("the URL of the proxy is valid");
    WebSocket::builder("ws://server.example/").proxy(proxy).connect_timeout(Duration::from_secs(2))
}

fn by_http(proxy: SocketAddr) -> Builder {
    through(&format!("http://u:p@{proxy}"))
}

fn by_socks(proxy: SocketAddr) -> Builder {
    through(&format!("socks5://u:p@{proxy}"))
}

/// Starts a proxy that reads a CONNECT request and sends `answer`.
async fn http(answer: &'static str) -> Scripted<()> {
    script(async move |mut peer: Peer| {
        let request = peer.read_head().await;
        assert!(request.starts_with("CONNECT server.example:80 HTTP/1.1\r\n"), "{request}");
        peer.try_send(answer).await.ok();
        peer.fin().await;
    })
    .await
}

/// RFC6455-4.1-8.
#[tokio::test]
async fn an_answer_without_success_fails() {
    let cases = [
        (
            "HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 11\r\n\r\nwho are you",
            "the proxy answered 407 Proxy Authentication Required: who are you",
        ),
        ("HTTP/1.1 502 Bad Gateway\r\n\r\nno\r\n", "the proxy answered 502 Bad Gateway: no"),
        ("HTTP/1.1 101 Switching Protocols\r\n\r\n", "the proxy answered 101 Switching Protocols"),
        ("HTTP/1.1 302 Found\r\nLocation: ws://elsewhere/\r\n\r\n", "the proxy answered 302 Found"),
        ("SSH-2.0-x\r\n", "does not speak HTTP/1.1: it sent `SSH-2.0-x\\r\\n`"),
        ("HTTP/1.1 200 OK\r\n", "closed the connection during the opening handshake"),
        ("", "closed the connection during the opening handshake"),
    ];
    for (answer, cause) in cases {
        let proxy = http(answer).await;
        let socket = by_http(proxy.address());
        let (trace, ()) = proxy.record_as(socket).await;
        trace.assert_failed(&[], cause);
        trace.assert_failed(
            &[],
            "could not connect to server.example:80 through the proxy http://127.",
        );
    }
}

/// Bytes after the success could be a forged server response.
#[tokio::test]
async fn bytes_after_the_proxys_response_fail() {
    let proxy = http("HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 101 Switching Protocols\r\n\r\n").await;
    let socket = by_http(proxy.address());
    let (trace, ()) = proxy.record_as(socket).await;
    trace.assert_failed(&[], "sent bytes before the tunnel was used");
}

#[tokio::test]
async fn an_interim_response_of_a_proxy_is_skipped() {
    let proxy = script(async move |mut peer: Peer| {
        peer.read_head().await;
        peer.send("HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\n\r\n").await;
        peer.shake_hands().await;
        peer.fin().await;
    })
    .await;
    let socket = by_http(proxy.address());
    let (trace, ()) = proxy.record_as(socket).await;
    trace.assert_failed(&["open"], "");
}

#[tokio::test]
async fn an_endless_head_of_a_proxy_fails() {
    let proxy = script(async move |mut peer: Peer| {
        peer.read_head().await;
        peer.send("HTTP/1.1 200 OK\r\n").await;
        while peer.try_send("X-More: of the same\r\n").await.is_ok() {}
    })
    .await;
    let socket = by_http(proxy.address());
    proxy.record_as(socket).await.0.assert_failed(&[], "the limit of 100 headers");
}

/// Starts a proxy that sends single bytes with pauses, but never a complete response.
async fn slow(sent: &'static str) -> Scripted<()> {
    script(async move |mut peer: Peer| {
        let mut bytes = sent.bytes().chain(std::iter::repeat(b'a'));
        while peer.try_send([bytes.next().expect("the bytes are endless")]).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await
}

#[tokio::test]
async fn a_slow_proxy_fails_at_the_deadline() {
    let hasty = |socket: Builder| socket.connect_timeout(Duration::from_millis(200));
    let proxy = slow("HTTP/1.1 200 OK\r\nX-Trickle: ").await;
    let socket = hasty(by_http(proxy.address()));
    proxy.record_as(socket).await.0.assert_failed(&[], "the proxy did not connect within 200ms");

    let silent = async || script(async |mut peer: Peer| peer.await_end().await).await;
    let proxy = silent().await;
    let socket = hasty(by_socks(proxy.address()));
    proxy.record_as(socket).await.0.assert_failed(&[], "the proxy did not connect within 200ms");
    let proxy = silent().await;
    let socket = hasty(through(&format!("https://{}", proxy.address())));
    proxy.record_as(socket).await.0.assert_failed(&[], "the proxy did not connect within 200ms");
}

/// The number of bytes that a proxy reads, and its answer to them.
type Part = (usize, &'static [u8]);

/// Starts a proxy that reads and answers these parts and then closes.
async fn socks(parts: &[Part]) -> Scripted<()> {
    let parts = parts.to_vec();
    script(async move |peer: Peer| {
        let mut stream = peer.into_inner();
        for (owed, answer) in parts {
            stream.read_exact(&mut vec![0; owed]).await.expect("the client sends its request");
            tokio::io::AsyncWriteExt::write_all(&mut stream, answer)
                .await
                .expect("the client reads the answer");
        }
        Peer::over(stream).fin().await;
    })
    .await
}

const GREETING: usize = 4;
const LOGIN: usize = 5;
const REQUEST: usize = 5 + "server.example".len() + 2;

/// RFC6455-4.1-8.
#[tokio::test]
async fn a_socks_proxy_that_does_not_connect_fails() {
    let login: Part = (GREETING, &[5, 2]);
    let logged_in: Part = (LOGIN, &[1, 0]);
    let cases: [(&[Part], &str); 10] = [
        (&[(GREETING, b"HTTP/1.1 400 Bad Request\r\n\r\n")], "does not speak SOCKS5: the version"),
        (&[(GREETING, &[4, 0])], "does not speak SOCKS5: the version is 4"),
        (&[(GREETING, &[5, 255])], "the proxy accepts none of the offered login methods"),
        (&[(GREETING, &[5, 1])], "the proxy accepts none of the offered login methods"),
        (&[(GREETING, &[5])], "closed the connection"),
        (&[login, (LOGIN, &[1, 1])], "the proxy rejected the user or the password"),
        (&[login, logged_in, (REQUEST, &[5, 2, 0, 1])], "its rules do not allow this connection"),
        (&[login, logged_in, (REQUEST, &[5, 99])], "failure 99"),
        (&[login, logged_in, (REQUEST, &[5, 0, 0, 9, 0])], "does not support this type of address"),
        (&[login, logged_in, (REQUEST, &[5, 0, 0, 3, 255, 1, 2])], "closed the connection"),
    ];
    for (parts, cause) in cases {
        let proxy = socks(parts).await;
        let socket = by_socks(proxy.address());
        let (trace, ()) = proxy.record_as(socket).await;
        trace.assert_failed(&[], cause);
    }
}

/// RFC6455-4.1-6: the proxy resolves the name. The client reads no byte after the proxy's reply. This
/// applies to each address type of the reply.
#[tokio::test]
async fn socks5_follows_rfc_1928() {
    let long = [&[3, 255][..], &[b'x'; 255]].concat();
    let ipv6 = [&[4][..], &[0; 16]].concat();
    for bound in [&[1, 127, 0, 0, 1][..], &ipv6, b"\x03\x03any", &[3, 0], &long] {
        let reply = [&[5, 0, 0][..], bound, &[0, 0]].concat();
        let proxy = script(async move |peer: Peer| {
            let mut stream = peer.into_inner();
            let mut received = Vec::new();
            for (owed, answer) in [(GREETING, vec![5, 2]), (LOGIN, vec![1, 0]), (REQUEST, reply)] {
                let mut part = vec![0; owed];
                stream.read_exact(&mut part).await.unwrap();
                received.push(part);
                tokio::io::AsyncWriteExt::write_all(&mut stream, &answer).await.unwrap();
            }
            let mut peer = Peer::over(stream);
            peer.shake_hands().await;
            peer.fin().await;
            received
        })
        .await;
        let socket = by_socks(proxy.address());
        let (trace, received) = proxy.record_as(socket).await;
        trace.assert_failed(&["open"], "");
        let request = [&[5, 1, 0, 3, 14][..], b"server.example", &[0, 80]].concat();
        assert_eq!(received, [vec![5, 2, 0, 2], vec![1, 1, b'u', 1, b'p'], request]);
    }
}
