//! The complete opening handshake. The client encodes its offer, and the server parses it. The server encodes
//! its answer, and the client parses it.

use bytes::BytesMut;
use fullduplex_proto::handshake::head::{HeadReader, encode_request, encode_response};
use fullduplex_proto::handshake::{
    Answer, Nonce, Offer, ReservedHeaderError, Subprotocol, SubprotocolError,
    SubprotocolNotOfferedError, Subprotocols,
};
use fullduplex_proto::{DeflateConfig, Limits, Message, Received, Role, Url};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};

use crate::support::opening::{NONCE, REQUEST, RESPONSE, head};
use crate::support::*;

fn offer(subprotocols: &[&str]) -> Offer {
    Offer::new(Nonce(NONCE), Subprotocols::new(subprotocols.iter().copied()).expect("tokens"))
}

fn request_to(url: &str, offer: &Offer) -> Vec<u8> {
    let url = Url::parse(url).expect("a URL");
    let request = offer.to_request(&url, &HeaderMap::new()).expect("no further headers");
    let mut bytes = Vec::new();
    encode_request(&request, &mut bytes);
    bytes
}

/// Reads a head in chunks of `size` bytes. Returns the head and the bytes after it.
fn read_in<T>(
    bytes: &[u8],
    size: usize,
    mut read: impl FnMut(&mut BytesMut) -> Option<T>,
) -> (T, Vec<u8>) {
    let mut input = BytesMut::new();
    let mut chunks = bytes.chunks(size);
    loop {
        input.extend_from_slice(chunks.next().expect("the bytes contain a complete head"));
        if let Some(head) = read(&mut input) {
            return (head, [&input[..], &chunks.collect::<Vec<_>>().concat()].concat());
        }
    }
}

fn read_request(bytes: &[u8], size: usize) -> (Request<()>, Vec<u8>) {
    let mut reader = HeadReader::new(Limits::default());
    read_in(bytes, size, |input| reader.request(input).expect("a request"))
}

fn read_response(bytes: &[u8], size: usize) -> (Response<()>, Vec<u8>) {
    let mut reader = HeadReader::new(Limits::default());
    read_in(bytes, size, |input| reader.response(input).expect("a response"))
}

fn sorted(lines: impl IntoIterator<Item = impl Into<String>>) -> Vec<String> {
    let mut lines: Vec<String> = lines.into_iter().map(|line| line.into().to_lowercase()).collect();
    lines.sort();
    lines
}

/// The heads consist of exactly the lines of section 1.3 of the RFC, in any order (RFC6455-4.1-12,
/// RFC6455-4.1-13, RFC6455-4.1-16, RFC6455-4.1-17, RFC6455-4.1-20, RFC6455-4.2.2-9,
/// RFC6455-4.2.2-10).
#[test]
fn the_heads_equal_the_example_of_the_rfc() {
    let offer = offer(&[]);
    let request = request_to("ws://server.example.com/chat", &offer);
    let text = String::from_utf8(request).unwrap();
    assert!(text.starts_with("GET /chat HTTP/1.1\r\n") && text.ends_with("\r\n\r\n"));
    assert_eq!(sorted(text.trim_end().split("\r\n")), sorted(REQUEST));
    assert!(text.contains(": dGhlIHNhbXBsZSBub25jZQ==\r\n"));

    let mut response = Vec::new();
    encode_response(&Answer::default().to_response(&offer), &mut response);
    let text = String::from_utf8(response).unwrap();
    assert!(text.starts_with("HTTP/1.1 101 Switching Protocols\r\n") && text.ends_with("\r\n\r\n"));
    // RFC6455-4.2.2-7: no header without a subprotocol.
    assert_eq!(sorted(text.trim_end().split("\r\n")), sorted(RESPONSE));
    assert!(text.contains(": s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"));
}

/// RFC6455-4.1-14, RFC6455-4.1-15: the request's target and host.
#[test]
fn the_request_has_the_target_and_host_of_the_url() {
    for (url, target, host) in [
        ("ws://a", "/", "a"),
        ("ws://a:80/x?y=1&z", "/x?y=1&z", "a"),
        ("ws://a:8080/?q", "/?q", "a:8080"),
        ("wss://[::1]:443/%20", "/%20", "[::1]"),
        ("wss://[::1]:80/%20", "/%20", "[::1]:80"),
    ] {
        let text = String::from_utf8(request_to(url, &offer(&[]))).unwrap();
        assert!(text.starts_with(&format!("GET {target} HTTP/1.1\r\n")), "{text}");
        assert!(text.to_lowercase().contains(&format!("\r\nhost: {host}\r\n")), "{text}");
    }
}

/// RFC6455-4.1-21, RFC6455-4.2.2-6, fault FT-06: the result does not depend on the sizes of the reads.
#[test]
fn both_ends_agree_on_the_subprotocol() {
    for (offered, chosen) in [
        (vec![], None),
        (vec!["chat"], None),
        (vec!["chat"], Some("chat")),
        (vec!["chat", "Chat", "v2.chat!"], Some("Chat")),
        (vec!["a", "b", "c"], Some("c")),
    ] {
        for size in [1, 2, 7, usize::MAX] {
            let offer = offer(&offered);
            let (request, _) = read_request(&request_to("wss://a/b?c", &offer), size);
            let parsed = Offer::from_request(&request).unwrap();
            assert_eq!(parsed, offer);
            let names: Vec<&str> = parsed.subprotocols().iter().map(Subprotocol::as_str).collect();
            assert_eq!(names, offered, "in order of preference");

            let chosen = chosen.map(|name| Subprotocol::new(name).unwrap());
            let answer = Answer::new(&parsed, chosen.clone()).unwrap();
            let mut bytes = Vec::new();
            encode_response(&answer.to_response(&parsed), &mut bytes);
            let (response, _) = read_response(&bytes, size);
            let read = Answer::from_response(&offer, &response).unwrap();
            assert_eq!((read.subprotocol(), &read), (chosen.as_ref(), &answer));
        }
    }
}

/// Fault FT-27: the first frames may arrive in the same segment as the handshake, in either direction.
#[test]
fn frames_after_a_head_are_left_for_the_connection() {
    let offer = offer(&[]);
    let hello = [Received::Message(Message::from("hello"))];
    for size in [1, 3, usize::MAX] {
        let wire = [request_to("ws://a/", &offer), frame(TEXT, "hello").to(Role::Server)].concat();
        let (request, rest) = read_request(&wire, size);
        assert_eq!(events(&mut connection(Role::Server), &rest), hello);

        let parsed = Offer::from_request(&request).unwrap();
        let mut wire = Vec::new();
        encode_response(&Answer::default().to_response(&parsed), &mut wire);
        wire.extend(frame(TEXT, "hello").to(Role::Client));
        let (response, rest) = read_response(&wire, size);
        assert_eq!(Answer::from_response(&offer, &response), Ok(Answer::default()));
        assert_eq!(events(&mut connection(Role::Client), &rest), hello);
    }
}

/// RFC6455-4.1-22: a client may add headers, except for the headers that the handshake sets itself.
#[test]
fn reserved_request_headers_are_refused() {
    let url = Url::parse("ws://a/").unwrap();
    for name in [
        "upgrade",
        "connection",
        "content-length",
        "transfer-encoding",
        "sec-websocket-accept",
        "sec-websocket-extensions",
        "sec-websocket-key",
        "sec-websocket-protocol",
        "sec-websocket-version",
    ] {
        let name = HeaderName::from_static(name);
        let mut further = HeaderMap::new();
        further.insert("cookie", HeaderValue::from_static("a=b"));
        further.insert(name.clone(), HeaderValue::from_static("x"));
        assert_eq!(offer(&[]).to_request(&url, &further).unwrap_err(), ReservedHeaderError(name));
    }
}

/// An answer can have two cookies. The headers that the handshake sets itself cannot be set.
#[test]
fn an_answer_can_have_further_headers() {
    let header = |name: &str| HeaderName::try_from(name).expect("a token");
    let value = HeaderValue::from_static;
    let answer = Answer::default()
        .with_header(header("Set-Cookie"), value("a=1"))
        .and_then(|answer| answer.with_header(header("Set-Cookie"), value("b=2")))
        .expect("it is not reserved");
    let response = answer.to_response(&offer(&[]));
    let cookies: Vec<_> = response.headers().get_all("set-cookie").iter().collect();
    assert_eq!(cookies, ["a=1", "b=2"]);
    assert!(Answer::from_response(&offer(&[]), &response).is_ok());
    for name in ["Sec-WebSocket-Accept", "Upgrade", "Connection", "Content-Length"] {
        let reserved = Answer::default().with_header(header(name), value("x")).unwrap_err();
        assert_eq!(reserved, ReservedHeaderError(header(name)));
    }
}

/// RFC6455-4.1-19, RFC6455-4.1-22: this includes `Origin`, which a client that is not a browser may also
/// send.
#[test]
fn further_request_headers_are_sent_unchanged() {
    let mut further = HeaderMap::new();
    further.append("origin", HeaderValue::from_static("https://a.example"));
    further.append("cookie", HeaderValue::from_static("a=b"));
    further.append("cookie", HeaderValue::from_static("c=d"));
    further.append("authorization", HeaderValue::from_static("Bearer e"));
    let url = Url::parse("ws://a/").unwrap();
    let mut bytes = Vec::new();
    encode_request(&offer(&["x"]).to_request(&url, &further).unwrap(), &mut bytes);
    let (request, _) = read_request(&bytes, usize::MAX);
    let cookies: Vec<&HeaderValue> = request.headers().get_all("cookie").iter().collect();
    assert_eq!(cookies, ["a=b", "c=d"]);
    assert_eq!(request.headers()["authorization"], "Bearer e");
    assert_eq!(request.headers()["origin"], "https://a.example");
    assert_eq!(Offer::from_request(&request), Ok(offer(&["x"])));
}

/// RFC6455-4.1-21: every offered subprotocol is a token, and none is offered twice.
#[test]
fn subprotocols_that_cannot_be_offered_are_errors() {
    let not_a_token = |name: &str| SubprotocolError::NotAToken(name.to_owned());
    for name in ["", " ", "a b", "a,b", "a/b", "a\r\nb: c", "\u{e4}"] {
        assert_eq!(Subprotocols::new(["good", name]), Err(not_a_token(name)));
    }
    let repeated = SubprotocolError::Repeated("a".to_owned());
    assert_eq!(Subprotocols::new(["a", "A", "b", "a"]), Err(repeated));
}

/// Fault H11: line breaks in a URL are removed or escaped. Header names, header values and subprotocols
/// cannot contain line breaks.
#[test]
fn no_argument_can_inject_a_line() {
    let plain = request_to("ws://a/x", &offer(&[]));
    let lines = |bytes: &[u8]| bytes.iter().filter(|&&byte| b"\r\n\0".contains(&byte)).count();
    let mut accepted = 0;
    for end in ["\r\n", "\r", "\n", "\0", "\r\n\r\n"] {
        let injected = format!("{end}x: y");
        for url in [
            format!("ws://a/{injected}"),
            format!("ws://a/x?{injected}"),
            format!("ws://a{injected}/"),
            format!("ws://a:80{injected}/"),
            format!("ws://u{injected}@a/"),
        ] {
            let Ok(url) = Url::parse(&url) else { continue };
            accepted += 1;
            let request = request_to(url.as_str(), &offer(&[]));
            // A user name in the URL adds one line: the Authorization header.
            let authorization = if url.credentials().is_some() { "\r\n".len() } else { 0 };
            let expected = lines(&plain) + authorization;
            assert_eq!(lines(&request), expected, "{}", request.escape_ascii());
        }
        assert!(HeaderValue::from_str(&injected).is_err());
        assert!(HeaderName::from_bytes(injected.as_bytes()).is_err());
        assert!(Subprotocol::new(injected).is_err());
    }
    assert!(accepted >= 10, "paths and queries accept any character");
}

/// Returns copies of the head with one byte that is not ASCII inserted, at each position of each header
/// value.
fn with_8_bit_bytes(head: &str) -> Vec<Vec<u8>> {
    let mut heads = Vec::new();
    for (colon, _) in head.match_indices(": ") {
        let end = colon + head[colon..].find('\r').expect("each line ends");
        for at in colon + 2..=end {
            for byte in 0x80..=0xFF {
                let mut head = head.as_bytes().to_vec();
                head.insert(at, byte);
                heads.push(head);
            }
        }
    }
    heads
}

/// Fault H9: a byte that is not ASCII is not read as a letter, and causes no panic.
#[test]
fn a_header_with_an_8_bit_byte_is_refused() {
    let lists = ["Sec-WebSocket-Protocol: chat", "Sec-WebSocket-Extensions: permessage-deflate"];
    for wrong in with_8_bit_bytes(&head(&REQUEST, "", &lists)) {
        let (request, _) = read_request(&wrong, usize::MAX);
        assert!(Offer::from_request(&request).is_err(), "{}", wrong.escape_ascii());
    }
    let offer = offer(&["chat"]).with_deflate(DeflateConfig::default());
    let answer = |head: &[u8]| Answer::from_response(&offer, &read_response(head, usize::MAX).0);
    let good = head(&RESPONSE, "", &lists);
    assert!(answer(good.as_bytes()).is_ok());
    for wrong in with_8_bit_bytes(&good) {
        assert!(answer(&wrong).is_err(), "{}", wrong.escape_ascii());
    }
}

/// RFC6455-4.2.2-6: names are compared exactly.
#[test]
fn a_subprotocol_that_was_not_offered_cannot_be_chosen() {
    for offered in [&[][..], &["chat"], &["Chat", "cha", "chats"]] {
        let other = Subprotocol::new("cHat").unwrap();
        let error = SubprotocolNotOfferedError(other.clone());
        assert_eq!(Answer::new(&offer(offered), Some(other)), Err(error));
    }
}

/// RFC6455-4.1-18: a client refuses an answer that was made for another nonce.
#[test]
fn an_answer_to_another_nonce_is_refused() {
    let (one, other) = (offer(&[]), Offer::new(Nonce([7; 16]), Subprotocols::default()));
    let response = Answer::default().to_response(&one);
    assert!(Answer::from_response(&one, &response).is_ok());
    assert!(Answer::from_response(&other, &response).is_err());
}
