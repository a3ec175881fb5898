//! Valid handshake requests in various forms, and invalid requests with the status of the rejection (RFC 6455
//! sections 4.2.1 and 4.2.2).

use bytes::BytesMut;
use fullduplex_proto::Limits;
use fullduplex_proto::handshake::head::{HeadReader, encode_response};
use fullduplex_proto::handshake::{Offer, Rejection};
use http::header::{
    ALLOW, CONNECTION, CONTENT_LENGTH, RETRY_AFTER, SEC_WEBSOCKET_VERSION, TRANSFER_ENCODING,
    UPGRADE,
};
use http::{HeaderMap, HeaderValue, StatusCode};

use crate::support::opening::{REQUEST, head, request};

/// The line of the request that is replaced, the lines that replace it, and the status of the rejection.
type Case = (&'static str, &'static [&'static str], u16);

const REFUSED: &[Case] = &[
    // RFC6455-4.2.1-2: all headers are required, and some must not be repeated.
    ("Host", &[], 400),
    ("Host", &["Host: a", "Host: a"], 400),
    ("Host", &["Host: a", "Host: b"], 400),
    // RFC 9112 section 3.2: the value is a host with an optional port.
    ("Host", &["Host: a b"], 400),
    ("Host", &["Host: a, b"], 400),
    ("Host", &["Host: a/b"], 400),
    ("Host", &["Host: a?b"], 400),
    ("Host", &["Host: http://a"], 400),
    ("Host", &["Host: u@a"], 400),
    ("Host", &["Host: u:p@a:80"], 400),
    ("Host", &["Host: [::1"], 400),
    ("Host", &["Host: a\\b"], 400),
    ("Host", &["Host: \u{e4}"], 400),
    ("Sec-WebSocket-Key", &[], 400),
    // RFC6455-11.3.1-1
    ("", &["Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="], 400),
    ("Sec-WebSocket-Key", &["Sec-WebSocket-Key:"], 400),
    ("Sec-WebSocket-Key", &["Sec-WebSocket-Key: 13"], 400),
    ("Sec-WebSocket-Key", &["Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ"], 400),
    ("Sec-WebSocket-Key", &["Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25j"], 400),
    ("Sec-WebSocket-Key", &["Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZWU="], 400),
    ("Sec-WebSocket-Key", &["Sec-WebSocket-Key: !GhlIHNhbXBsZSBub25jZQ=="], 400),
    ("Sec-WebSocket-Key", &["Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==, x"], 400),
    // RFC6455-4.2.2-4, RFC6455-4.3-2
    ("Sec-WebSocket-Version", &[], 426),
    ("Sec-WebSocket-Version", &["Sec-WebSocket-Version:"], 426),
    ("Sec-WebSocket-Version", &["Sec-WebSocket-Version: 0"], 426),
    ("Sec-WebSocket-Version", &["Sec-WebSocket-Version: 8"], 426),
    ("Sec-WebSocket-Version", &["Sec-WebSocket-Version: 12"], 426),
    ("Sec-WebSocket-Version", &["Sec-WebSocket-Version: 14"], 426),
    ("Sec-WebSocket-Version", &["Sec-WebSocket-Version: 255"], 426),
    ("Sec-WebSocket-Version", &["Sec-WebSocket-Version: 013"], 426),
    ("Sec-WebSocket-Version", &["Sec-WebSocket-Version: 13, 8"], 426),
    ("Sec-WebSocket-Version", &["Sec-WebSocket-Version: 1 3"], 426),
    // RFC6455-11.3.5-1
    ("", &["Sec-WebSocket-Version: 13"], 400),
    ("", &["Sec-WebSocket-Version: 8"], 400),
    ("Upgrade", &[], 426),
    ("Upgrade", &["Upgrade: h2c"], 426),
    ("Upgrade", &["Upgrade: websockets"], 426),
    ("Upgrade", &["Upgrade: web socket"], 426),
    ("Connection", &[], 400),
    ("Connection", &["Connection: keep-alive"], 400),
    ("Connection", &["Connection: Upgraded, Up grade"], 400),
    ("GET", &["POST /chat HTTP/1.1"], 405),
    ("GET", &["HEAD /chat HTTP/1.1"], 405),
    ("GET", &["OPTIONS * HTTP/1.1"], 405),
    ("GET", &["GET /chat HTTP/1.0"], 400),
    // RFC6455-4.2.1-2: the target is a resource name or an absolute http(s) URI.
    ("GET", &["GET * HTTP/1.1"], 400),
    ("GET", &["GET server.example.com:80 HTTP/1.1"], 400),
    ("GET", &["GET ftp://server.example.com/ HTTP/1.1"], 400),
    ("GET", &["GET ws://server.example.com/chat HTTP/1.1"], 400),
    // There is no body: frames follow the head (faults FT-28 and H13).
    ("", &["Content-Length: 5"], 400),
    ("", &["Content-Length: 0", "Content-Length: 5"], 400),
    ("", &["Content-Length: 0, 5"], 400),
    ("", &["Content-Length: -1"], 400),
    ("", &["Content-Length: +0"], 400),
    ("", &["Content-Length: 0", "Transfer-Encoding: chunked"], 400),
    ("", &["Transfer-Encoding: chunked"], 400),
    ("", &["Transfer-Encoding: identity"], 400),
    // RFC6455-9.1-1, RFC6455-4.3-1
    ("", &["Sec-WebSocket-Extensions:"], 400),
    ("", &["Sec-WebSocket-Extensions: ,"], 400),
    ("", &["Sec-WebSocket-Extensions: a;"], 400),
    ("", &["Sec-WebSocket-Extensions: a; b=\"c d\""], 400),
    ("", &["Sec-WebSocket-Extensions: a; b=\"c"], 400),
    ("", &["Sec-WebSocket-Extensions: a", "Sec-WebSocket-Extensions: a b"], 400),
    // RFC6455-4.1-21
    ("", &["Sec-WebSocket-Protocol:"], 400),
    ("", &["Sec-WebSocket-Protocol: , ,"], 400),
    ("", &["Sec-WebSocket-Protocol: ,", "Sec-WebSocket-Protocol:"], 400),
    ("", &["Sec-WebSocket-Protocol: a b"], 400),
    ("", &["Sec-WebSocket-Protocol: a/b"], 400),
    ("", &["Sec-WebSocket-Protocol: \u{e4}"], 400),
    ("", &["Sec-WebSocket-Protocol: a, b, a"], 400),
    ("", &["Sec-WebSocket-Protocol: a", "Sec-WebSocket-Protocol: a"], 400),
];

const ACCEPTED: &[(&str, &[&str])] = &[
    ("", &[]),
    // RFC6455-4.1-31: header names and these header values are compared without regard to case.
    ("Upgrade", &["UPGRADE: WebSocket"]),
    ("Upgrade", &["upgrade:websocket"]),
    ("Upgrade", &["Upgrade: h2c, websocket"]),
    ("Upgrade", &["Upgrade: h2c", "Upgrade: websocket"]),
    ("Connection", &["Connection: keep-alive, UPGRADE"]),
    ("Connection", &["connection: upgrade ,\t close"]),
    ("Connection", &["Connection: keep-alive", "Connection: ,Upgrade"]),
    ("Host", &["HOST:\t a:8080 \t"]),
    ("Host", &["Host:"]),
    ("Host", &["Host: [::1]:8080"]),
    ("Host", &["Host: 127.0.0.1"]),
    ("Host", &["Host: a_b.example."]),
    ("Sec-WebSocket-Version", &["sec-websocket-version:   13  "]),
    ("Sec-WebSocket-Key", &["SEC-WEBSOCKET-KEY:\tdGhlIHNhbXBsZSBub25jZQ== "]),
    // RFC6455-4.2.1-2: the target may also be an absolute http(s) URI.
    ("GET", &["GET http://server.example.com/chat HTTP/1.1"]),
    ("GET", &["GET https://server.example.com HTTP/1.1"]),
    // RFC6455-4.2.1-4
    ("", &["X-Unknown: \u{e4}", "Origin: null", "Sec-WebSocket-Future: 1"]),
    ("", &["Content-Length: 0"]),
    // RFC6455-9.1-3, RFC6455-11.3.4-1: a list on several lines.
    ("", &["Sec-WebSocket-Extensions: a; b=\"c\", d", "Sec-WebSocket-Extensions: a"]),
    ("", &["Sec-WebSocket-Protocol: a, A", "Sec-WebSocket-Protocol:\tb\t,c"]),
];

fn rejection(replaced: &str, by: &[&str]) -> Rejection {
    let head = head(&REQUEST, replaced, by);
    let request = request(&head).expect("a head of HTTP/1").expect("a whole head");
    Offer::from_request(&request).expect_err(&head)
}

/// RFC6455-4.2.1-1
#[test]
fn an_invalid_request_is_refused_with_its_status() {
    for &(replaced, by, status) in REFUSED {
        assert_eq!(rejection(replaced, by).status(), status, "{replaced:?} by {by:?}");
    }
}

#[test]
fn a_valid_request_is_accepted_in_every_spelling() {
    let plain = Offer::from_request(&request(head(&REQUEST, "", &[])).unwrap().unwrap()).unwrap();
    for &(replaced, by) in ACCEPTED {
        let request = request(head(&REQUEST, replaced, by)).unwrap().unwrap();
        let offer = Offer::from_request(&request).unwrap_or_else(|error| panic!("{by:?}: {error}"));
        if !by.iter().any(|line| line.starts_with("Sec-WebSocket-")) {
            assert_eq!(offer, plain, "{by:?}");
        }
    }
}

/// RFC6455-4.2.2-11, RFC6455-9.1-3, RFC6455-11.3.2-1, RFC6455-11.3.4-1
#[test]
fn lists_on_several_lines_are_one_list() {
    let lines = [
        "Sec-WebSocket-Protocol: a, A",
        "Sec-WebSocket-Extensions: x; p=1; q",
        "Sec-WebSocket-Protocol: b",
        "Sec-WebSocket-Extensions: y, x; p=\"2\"",
    ];
    let request = request(head(&REQUEST, "", &lines)).unwrap().unwrap();
    let offer = Offer::from_request(&request).unwrap();
    let names: Vec<&str> = offer.subprotocols().iter().map(|name| name.as_str()).collect();
    assert_eq!(names, ["a", "A", "b"]);
    let extensions: Vec<(&str, Vec<Option<&str>>)> = offer
        .extensions()
        .iter()
        .map(|e| (&*e.name, e.params.iter().map(|p| p.value.as_deref()).collect()))
        .collect();
    let expected = [("x", vec![Some("1"), None]), ("y", vec![]), ("x", vec![Some("2")])];
    assert_eq!(extensions, expected);
}

/// FS-11: RFC 9110 section 5.6.1.2 applies to every header that is a list.
#[test]
fn empty_elements_of_lists_are_ignored() {
    for (replaced, line) in [
        ("Upgrade", "Upgrade: ,websocket"),
        ("Upgrade", "Upgrade: websocket, "),
        ("Connection", "Connection: , ,Upgrade,,"),
        ("", "Sec-WebSocket-Protocol: chat, "),
        ("", "Sec-WebSocket-Protocol: ,chat,,superchat"),
        ("", "Sec-WebSocket-Extensions: x, "),
        ("", "Sec-WebSocket-Extensions: ,x; y=1,\t,z"),
    ] {
        let request = request(head(&REQUEST, replaced, &[line])).unwrap().unwrap();
        let offer = Offer::from_request(&request).unwrap_or_else(|error| panic!("{line}: {error}"));
        let names =
            |list: &str| list.split([',', ' ', '\t']).filter(|name| !name.is_empty()).count();
        match line.split_once(": ").unwrap() {
            ("Sec-WebSocket-Protocol", list) => {
                assert_eq!(offer.subprotocols().iter().count(), names(list));
            }
            ("Sec-WebSocket-Extensions", _) => assert!(offer.extensions()[0].name == "x"),
            _ => {}
        }
    }
}

fn has_element(headers: &HeaderMap, name: http::HeaderName, wanted: &str) -> bool {
    let values = headers.get_all(name).iter().map(|value| value.to_str().expect("ASCII"));
    values.flat_map(|value| value.split(',')).any(|element| element.trim() == wanted)
}

/// RFC6455-7.2.2-1, fault FT-29: a rejected connection accepts no further request.
#[test]
fn every_rejection_closes_the_http_connection() {
    for &(replaced, by, status) in REFUSED {
        let response = rejection(replaced, by).to_response();
        assert!(has_element(response.headers(), CONNECTION, "close"), "{by:?}");
        let mut wire = Vec::new();
        encode_response(&response, &mut wire);
        let head_len = wire.len();
        wire.extend_from_slice(response.body().as_bytes());
        let mut input = BytesMut::from(&wire[..]);
        let read = HeadReader::new(Limits::default()).response(&mut input).unwrap().unwrap();
        assert_eq!(read.status(), status);
        assert_eq!(read.headers()[CONTENT_LENGTH], (wire.len() - head_len).to_string());
        assert_eq!(input, response.body().as_bytes());
        assert!(!input.is_empty(), "the body has the reason");
    }
}

/// RFC6455-4.2.2-4, RFC6455-4.4-1: the only supported version.
#[test]
fn the_426_lists_version_13() {
    let mut count = 0;
    for &(replaced, by, status) in REFUSED {
        let response = rejection(replaced, by).to_response();
        let versions: Vec<_> = response.headers().get_all(SEC_WEBSOCKET_VERSION).iter().collect();
        if status == 426 {
            count += 1;
            assert_eq!(versions, ["13"], "{by:?}");
            assert_eq!(response.headers()[UPGRADE], "websocket");
            assert!(has_element(response.headers(), CONNECTION, "Upgrade"));
        } else {
            assert_eq!(versions.len(), 0, "{by:?}");
        }
        let allow = response.headers().get(ALLOW);
        assert_eq!(allow.is_some_and(|value| value == "GET"), status == 405);
    }
    assert!(count > 10);
}

/// RFC6455-4.2.2-2, RFC6455-4.2.2-3, RFC6455-4.2.2-5: such a rejection closes the connection too.
#[test]
fn a_server_may_reject_with_any_status() {
    for status in [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN, StatusCode::NOT_FOUND] {
        let response = Rejection::new(status, "no").to_response();
        assert_eq!((response.status(), &**response.body()), (status, "no\n"));
        assert!(has_element(response.headers(), CONNECTION, "close"));
    }
}

/// FS-12: a 101 is not a rejection, a 2xx means that the request succeeded, and a 304 has no body.
#[test]
fn a_rejection_accepts_only_redirect_and_error_statuses() {
    for status in 100..=999 {
        let status = StatusCode::from_u16(status).unwrap();
        let rejects = matches!(status.as_u16(), 300..=303 | 305..=599);
        match Rejection::try_new(status, "no") {
            Ok(rejection) => assert_eq!((rejection.status(), rejects), (status, true)),
            Err(error) => {
                assert!(!rejects, "{status}");
                assert!(error.to_string().contains(status.as_str()), "{error}");
            }
        }
    }
    for status in [StatusCode::SWITCHING_PROTOCOLS, StatusCode::NO_CONTENT] {
        assert!(std::panic::catch_unwind(|| Rejection::new(status, "no")).is_err());
    }
}

/// A server may add headers, except for headers that control the body or the connection.
#[test]
fn a_rejection_can_have_further_headers() {
    let rejection = Rejection::new(StatusCode::SERVICE_UNAVAILABLE, "later")
        .with_header(RETRY_AFTER, HeaderValue::from_static("10"))
        .with_header(CONTENT_LENGTH, HeaderValue::from_static("0"))
        .with_header(CONNECTION, HeaderValue::from_static("keep-alive"))
        .with_header(TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
    let response = rejection.to_response();
    let headers = response.headers();
    assert_eq!(headers[RETRY_AFTER], "10");
    for (name, value) in [(CONTENT_LENGTH, "6"), (CONNECTION, "close")] {
        assert_eq!(headers.get_all(name).iter().collect::<Vec<_>>(), [value]);
    }
    assert!(!headers.contains_key(TRANSFER_ENCODING));
}

/// Fault H12: a reason with line breaks cannot inject headers.
#[test]
fn the_reason_of_a_rejection_stays_in_the_body() {
    let reason = "no\r\nContent-Length: 0\r\n\r\nHTTP/1.1 200 OK\r\n\r\n\0";
    let response = Rejection::new(StatusCode::FORBIDDEN, reason).to_response();
    let mut wire = Vec::new();
    encode_response(&response, &mut wire);
    wire.extend_from_slice(response.body().as_bytes());
    let mut input = BytesMut::from(&wire[..]);
    let head = HeadReader::new(Limits::default()).response(&mut input).unwrap().unwrap();
    assert_eq!(input, format!("{reason}\n"));
    let lengths: Vec<_> = head.headers().get_all(CONTENT_LENGTH).iter().collect();
    assert_eq!(lengths, [&input.len().to_string()]);
}
