//! HTTP/1.1 heads in chunks of any size: bytes after the head are left in the input, invalid heads are
//! refused as early as possible, and limits hold (faults FT-06 and FT-25).

use bytes::BytesMut;
use fullduplex_proto::Limits;
use fullduplex_proto::handshake::head::{HeadError, HeadReader};
use http::{HeaderMap, Version};

use crate::support::opening::{MAX_BYTES, MAX_HEADERS, REQUEST, RESPONSE, head, request, response};

/// The parts of the first line, the headers, and the bytes left in the input.
type Outcome = (Vec<String>, HeaderMap, Vec<u8>);

#[derive(Debug, Clone, Copy)]
enum Kind {
    Request,
    Response,
}

/// Reads `chunks` until the head is complete or an error occurs. Returns how many chunks were read.
fn read<'a>(
    kind: Kind,
    chunks: impl IntoIterator<Item = &'a [u8]>,
) -> (usize, Result<Option<Outcome>, HeadError>) {
    read_within(Limits::default(), kind, chunks)
}

fn read_within<'a>(
    limits: Limits,
    kind: Kind,
    chunks: impl IntoIterator<Item = &'a [u8]>,
) -> (usize, Result<Option<Outcome>, HeadError>) {
    let (mut reader, mut input) = (HeadReader::new(limits), BytesMut::new());
    let mut count = 0;
    for chunk in chunks {
        count += 1;
        input.extend_from_slice(chunk);
        let found = match kind {
            Kind::Request => reader.request(&mut input).map(|head| {
                let parts = head?.into_parts().0;
                let line = [parts.method.to_string(), parts.uri.to_string()];
                Some((line.to_vec(), parts.headers, parts.version))
            }),
            Kind::Response => reader.response(&mut input).map(|head| {
                let parts = head?.into_parts().0;
                Some((vec![parts.status.as_str().to_owned()], parts.headers, parts.version))
            }),
        };
        match found {
            Ok(None) => {}
            Ok(Some((line, headers, version))) => {
                assert_eq!(version, Version::HTTP_11);
                return (count, Ok(Some((line, headers, input.to_vec()))));
            }
            Err(error) => return (count, Err(error)),
        }
    }
    (count, Ok(None))
}

fn heads() -> [(Kind, String); 2] {
    let further = ["X-Twice: 1", "X-Empty:", "X-Twice: 2"];
    let request = head(&REQUEST, "", &further);
    [(Kind::Request, request), (Kind::Response, head(&RESPONSE, "", &further))]
}

/// Bytes after the head. A second `\r\n\r\n` has no meaning there (fault FT-27).
const AFTER: &[u8] = b"\x81\x05he\r\n\r\n";

#[test]
fn every_split_gives_the_same_head_and_leaves_the_bytes_after_it() {
    for (kind, head) in heads() {
        let wire = [head.as_bytes(), AFTER].concat();
        let (_, whole) = read(kind, [&wire[..]]);
        let (line, headers, after) = whole.unwrap().unwrap();
        match kind {
            Kind::Request => assert_eq!(line, ["GET", "/chat"]),
            Kind::Response => assert_eq!(line, ["101"]),
        }
        let twice: Vec<_> = headers.get_all("x-twice").iter().collect();
        assert_eq!(twice, ["1", "2"]);
        assert_eq!((headers["x-empty"].as_bytes(), &after[..]), (&b""[..], AFTER));
        for cut in 0..=wire.len() {
            // The split may be after the head. Only bytes that have arrived can be left in the input.
            let (one, two) = wire.split_at(cut);
            let (count, outcome) = read(kind, [one, two]);
            let arrived = if count == 1 { one.len() } else { wire.len() };
            let left = wire[head.len()..arrived].to_vec();
            assert_eq!(outcome, Ok(Some((line.clone(), headers.clone(), left))), "cut at {cut}");
        }
        let (count, outcome) = read(kind, wire.chunks(1));
        assert_eq!(count, head.len(), "the head is complete with its last byte");
        assert_eq!(outcome, Ok(Some((line, headers, vec![]))));
    }
}

/// Creates a head of exactly `length` bytes.
fn head_of(kind: Kind, length: usize) -> String {
    let lines: &[&str] = match kind {
        Kind::Request => &REQUEST,
        Kind::Response => &RESPONSE,
    };
    let rest = length - head(lines, "", &["x: "]).len();
    head(lines, "", &[&format!("x: {}", "y".repeat(rest))])
}

/// Fault FT-25: the limit is exact, and is checked before the head is complete.
#[test]
fn a_head_is_limited_in_bytes() {
    for (kind, _) in heads() {
        for size in [1, 1000, usize::MAX] {
            let largest = head_of(kind, MAX_BYTES);
            assert_eq!(largest.len(), MAX_BYTES);
            let (_, outcome) = read(kind, largest.as_bytes().chunks(size));
            assert!(matches!(outcome, Ok(Some(_))), "{outcome:?}");
            let larger = head_of(kind, MAX_BYTES + 1);
            assert_eq!(
                read(kind, larger.as_bytes().chunks(size)).1,
                Err(HeadError::TooLong(MAX_BYTES))
            );
        }
        // A head that does not end fails at the first byte after the limit.
        let endless = head_of(kind, 1 << 20);
        let (count, outcome) = read(kind, endless.as_bytes().chunks(1));
        assert_eq!((count, outcome), (MAX_BYTES + 1, Err(HeadError::TooLong(MAX_BYTES))));
    }
    let endless_line = "GET /".to_owned() + &"x".repeat(1 << 20);
    let (count, outcome) = read(Kind::Request, endless_line.as_bytes().chunks(1));
    assert_eq!((count, outcome), (MAX_BYTES + 1, Err(HeadError::TooLong(MAX_BYTES))));
}

#[test]
fn a_head_is_limited_in_headers() {
    for (first, is_ok) in [
        (REQUEST[0], (|bytes| request(bytes).map(|head| head.is_some())) as fn(&str) -> _),
        (RESPONSE[0], |bytes| response(bytes).map(|head| head.is_some())),
    ] {
        let with = |count: usize| head(&[first], "", &vec!["a: b"; count]);
        assert_eq!(is_ok(&with(0)), Ok(true));
        assert_eq!(is_ok(&with(MAX_HEADERS)), Ok(true));
        assert_eq!(is_ok(&with(MAX_HEADERS + 1)), Err(HeadError::TooManyHeaders(MAX_HEADERS)));
        assert_eq!(is_ok(&with(2000)), Err(HeadError::TooManyHeaders(MAX_HEADERS)));
        assert_eq!(is_ok(&with(10_000)), Err(HeadError::TooManyHeaders(MAX_HEADERS)));
    }
}

/// Invalid header lines.
const MALFORMED: &[&[u8]] = &[
    b"no colon",
    b": no name",
    b"space before : colon",
    b"x: a\0b",
    b"x\0: a",
    b"x: a\x01b",
    b"x: a\x7Fb",
    b"x: a\rb",
    b"x: a\r",
    b"\xE4: an 8-bit name",
    b"x(y): a separator",
];

#[test]
fn an_invalid_header_line_is_malformed() {
    for (kind, good) in heads() {
        let (first, rest) = good.split_once("X-Twice: 1").unwrap();
        for wrong in MALFORMED {
            let wire = [first.as_bytes(), wrong, rest.as_bytes()].concat();
            for size in [1, usize::MAX] {
                let (_, outcome) = read(kind, wire.chunks(size));
                let is_malformed = matches!(outcome, Err(HeadError::Malformed(_)));
                assert!(is_malformed, "{}: {outcome:?}", wrong.escape_ascii());
            }
        }
    }
}

/// FC-08: RFC 9112 section 5.2 requires a client to accept a header that continues on the next line, and
/// permits a server to reject it.
#[test]
fn only_a_client_takes_folded_headers() {
    let folded: &[u8] = b"X-Folded: a\r\n b\r\n\t c\r\n \r\nX-Empty:\r\n d\r\n";
    for (kind, good) in heads() {
        let (first, rest) = good.split_once("X-Twice: 1").unwrap();
        let wire = [first.as_bytes(), folded, b"X-Twice: 1", rest.as_bytes(), AFTER].concat();
        for size in [1, 7, usize::MAX] {
            let (_, outcome) = read(kind, wire.chunks(size));
            match (kind, outcome) {
                (Kind::Request, outcome) => {
                    assert!(matches!(outcome, Err(HeadError::Malformed(_))), "{outcome:?}");
                }
                (Kind::Response, outcome) => {
                    let (_, headers, _) = outcome.unwrap().unwrap();
                    assert_eq!(headers["x-folded"], "a   b  \t c");
                    assert_eq!(headers["x-empty"], "d");
                    assert_eq!(headers.get_all("x-twice").iter().count(), 2);
                }
            }
        }
    }
    // RFC 9112 section 2.2: there is no header that the line could continue.
    let outcome = response("HTTP/1.1 101 X\r\n Upgrade: websocket\r\n\r\n");
    assert!(matches!(outcome, Err(HeadError::Malformed(_))), "{outcome:?}");
    // A header with continuation lines counts once.
    let mut limits = Limits::default();
    limits.head_headers = 1;
    let wire = b"HTTP/1.1 200 X\r\na: b\r\n c\r\n d\r\n\r\n";
    assert!(read_within(limits, Kind::Response, [&wire[..]]).1.is_ok());
}

/// FC-08: the error message mentions the path, not the protocol. A reason phrase may have any bytes.
#[test]
fn a_path_in_latin_1_is_named() {
    for line in [&b"GET /caf\xE9 HTTP/1.1\r\n"[..], b"GET /caf\xE9?x HTTP/1.0\r\n"] {
        let error = read(Kind::Request, [line]).1.unwrap_err();
        assert!(error.to_string().contains("not UTF-8"), "{error}");
        assert_eq!(error.rejection().status(), 400);
    }
    let binary = b"GET /\xE9\r\n";
    assert!(matches!(read(Kind::Request, [&binary[..]]).1, Err(HeadError::NotHttp(_))));
    let (_, outcome) = read(Kind::Response, [&b"HTTP/1.1 404 Non trouv\xE9\r\n\r\n"[..]]);
    assert_eq!(outcome.unwrap().unwrap().0, ["404"]);
}

/// FS-11: RFC 9112 section 2.2.
#[test]
fn a_server_ignores_empty_lines_before_a_request() {
    let (kind, good) = &heads()[0];
    for count in [1, 2, 100] {
        let wire = ["\r\n".repeat(count).as_bytes(), good.as_bytes(), AFTER].concat();
        for size in [1, 2, 3, usize::MAX] {
            let (_, outcome) = read(*kind, wire.chunks(size));
            let (line, headers, left) = outcome.unwrap().unwrap();
            assert_eq!(line, ["GET", "/chat"]);
            assert_eq!(headers.len(), 8);
            assert!(AFTER.starts_with(&left));
        }
    }
    // Empty lines count towards the limit, with or without a head after them.
    for size in [1, 2, usize::MAX] {
        let endless = "\r\n".repeat(1 << 16);
        let (count, outcome) = read(*kind, endless.as_bytes().chunks(size));
        assert_eq!(outcome, Err(HeadError::TooLong(MAX_BYTES)));
        assert!(count <= MAX_BYTES + 2);
        let wire = "\r\n".to_owned() + &head_of(*kind, MAX_BYTES - 1);
        assert_eq!(read(*kind, wire.as_bytes().chunks(size)).1, Err(HeadError::TooLong(MAX_BYTES)));
    }
    assert_eq!(read(*kind, [&b"\n"[..]]).1.unwrap_err().rejection().status(), 400);
}

/// FS-11: empty lines alone may take as many bytes as the limit, and no more.
#[test]
fn empty_lines_are_limited() {
    for (head_bytes, count) in [(100, 50), (101, 50)] {
        let mut limits = Limits::default();
        limits.head_bytes = head_bytes;
        let lines = |count| read_within(limits, Kind::Request, [&b"\r\n".repeat(count)[..]]).1;
        assert_eq!(lines(count), Ok(None));
        assert_eq!(lines(count + 1), Err(HeadError::TooLong(head_bytes)));
    }
}

/// FS-11: other servers accept these characters, and a browser percent-encodes them.
#[test]
fn characters_that_clients_do_not_encode_are_accepted() {
    for (target, uri) in [
        ("/?f={\"a\":1}", "/?f={%22a%22:1}"),
        ("/a|b^[c]\\?<d>", "/a|b^[c]\\?%3Cd%3E"),
        ("/<`>", "/%3C%60%3E"),
        ("/?%22\"", "/?%22%22"),
        ("/{\"a\"}", "/{\"a\"}"),
        ("/\u{e9}", "/\u{e9}"),
    ] {
        let outcome = request(head(&REQUEST, "GET", &[&format!("GET {target} HTTP/1.1")]));
        assert_eq!(outcome.unwrap().unwrap().uri().to_string(), uri);
    }
}

/// FS-09
#[test]
fn the_limits_of_a_head_can_be_set() {
    for (kind, first) in [(Kind::Request, REQUEST[0]), (Kind::Response, RESPONSE[0])] {
        let with = |bytes, headers| {
            let mut limits = Limits::default();
            (limits.head_bytes, limits.head_headers) = (bytes, headers);
            move |wire: &str| read_within(limits, kind, [wire.as_bytes()]).1.map(|_| ())
        };
        let cookie = head(&[first], "", &[&format!("Cookie: {}", "x".repeat(20_000))]);
        assert_eq!(with(16 << 10, 100)(&cookie), Err(HeadError::TooLong(16 << 10)));
        assert_eq!(with(cookie.len() - 1, 100)(&cookie), Err(HeadError::TooLong(cookie.len() - 1)));
        assert_eq!(with(cookie.len(), 1)(&cookie), Ok(()));
        assert_eq!(with(usize::MAX, usize::MAX)(&cookie), Ok(()));
        let three = head(&[first], "", &["a: b"; 3]);
        assert_eq!(with(1000, 2)(&three), Err(HeadError::TooManyHeaders(2)));
        assert_eq!(with(1000, 3)(&three), Ok(()));
        assert_eq!(with(1000, 0)(&head(&[first], "", &[])), Ok(()));
        assert_eq!(with(0, 100)(&three), Err(HeadError::TooLong(0)));
        // Fault H8: more headers than a `HeaderMap` can contain.
        let many: Vec<String> = (0..40_000).map(|number| format!("a{number}: b")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        let outcome = with(usize::MAX, usize::MAX)(&head(&[first], "", &many));
        assert!(matches!(outcome, Err(HeadError::Malformed(_))), "{outcome:?}");
        let outcome = with(usize::MAX, usize::MAX)(&head(&[first], "", &["a: b"; 40_000]));
        assert!(!matches!(outcome, Err(HeadError::TooLong(_))), "{outcome:?}");
    }
}

/// RFC6455-3-1: `http::Uri` would remove the fragment without an error.
#[test]
fn a_target_with_a_fragment_is_malformed() {
    for target in ["/chat#", "/chat#x", "/?q#x", "http://a/#x"] {
        let outcome = request(head(&REQUEST, "GET", &[&format!("GET {target} HTTP/1.1")]));
        assert!(matches!(outcome, Err(HeadError::Malformed(_))), "{target}: {outcome:?}");
    }
}

/// RFC 9110 section 5.5: such bytes are opaque data and are kept unchanged.
#[test]
fn a_header_value_may_have_8_bit_bytes() {
    for (kind, good) in heads() {
        let (first, rest) = good.split_once("X-Twice: 1").unwrap();
        let wire = [first.as_bytes(), b"x: \x80\xFF\xC3\xA4 \t", rest.as_bytes()].concat();
        let (_, headers, _) = read(kind, [&wire[..]]).1.unwrap().unwrap();
        assert_eq!(headers["x"].as_bytes(), b"\x80\xFF\xC3\xA4");
    }
}

/// If parsers interpret line ends differently, they find the end of a request at different positions.
#[test]
fn a_bare_line_feed_is_refused_at_once() {
    for (kind, good) in heads() {
        for (at, _) in good.match_indices("\r\n") {
            let mut wire = good.clone();
            wire.remove(at);
            let (count, outcome) = read(kind, wire.as_bytes().chunks(1));
            assert_eq!(
                (count, outcome),
                (at + 1, Err(HeadError::BareLineFeed)),
                "line feed at {at}"
            );
        }
    }
}

/// Bytes that are not HTTP/1 are refused as early as possible.
#[test]
fn another_protocol_is_refused_at_once() {
    let hello: &[u8] = &[0x16, 3, 1, 2, 0, 1, 0, 1, 0xFC, 3, 3];
    let line = |text: &'static str| (text.as_bytes(), text.find('\n').map_or(0, |at| at + 1));
    for (kind, (bytes, at)) in [
        (Kind::Request, (hello, 1)),
        (Kind::Response, (hello, 1)),
        (Kind::Response, (b"SSH-2.0-x\r\n", 1)),
        (Kind::Request, line("SSH-2.0-x\r\n")),
        (Kind::Request, line("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")),
        (Kind::Request, line("GET /\r\nHost: a\r\n")),
        (Kind::Request, line("GET / HTTP/2.0\r\nHost: a\r\n")),
        (Kind::Request, line("GET / x HTTP/1.1\r\nHost: a\r\n")),
        (Kind::Request, (b"get / HTTP/1.1\r\n", 1)),
        (Kind::Request, (b"\r\nget", 3)),
        (Kind::Request, (b"\rG", 2)),
        (Kind::Response, (b"\r\nHTTP/1.1 101", 1)),
        (Kind::Request, (b"\x81\x85", 1)),
        (Kind::Response, (b"220 smtp\r\n", 1)),
        (Kind::Response, (b"ICY 200 OK\r\n", 1)),
        (Kind::Response, (b"HTTP/2 101\r\n", 6)),
        (Kind::Response, (b"HTTP/0.9 101\r\n", 6)),
        (Kind::Response, line("HTTP/1.1 abc\r\nUpgrade: websocket\r\n")),
        (Kind::Response, line("HTTP/1.1 1010 x\r\nUpgrade: websocket\r\n")),
    ] {
        let (count, outcome) = read(kind, bytes.chunks(1));
        let text = bytes.escape_ascii();
        assert!(matches!(outcome, Err(HeadError::NotHttp(_))), "{text}: {outcome:?}");
        assert_eq!(count, at, "{kind:?}: {text}");
    }
}

/// A server answers 431 if a limit is exceeded, 400 otherwise, and closes the connection.
#[test]
fn each_head_error_has_a_rejection() {
    for (error, status) in [
        (HeadError::TooLong(1), 431),
        (HeadError::TooManyHeaders(1), 431),
        (HeadError::BareLineFeed, 400),
        (HeadError::NotHttp("x".to_owned()), 400),
        (HeadError::Malformed("x".to_owned()), 400),
    ] {
        let response = error.rejection().to_response();
        assert_eq!(response.status(), status);
        assert_eq!(response.headers()["connection"], "close");
    }
}
