//! HTTP/1.1 heads in chunks of any size: bytes after the head are left in the input, invalid heads are
//! refused as early as possible, and limits hold (faults FT-06 and FT-25).

use crate::support::opening::{REQUEST, RESPONSE, head, request, response};
use bytes::BytesMut;
use fullduplex_proto::handshake::head::{HeadError, HeadReader, MAX_BYTES, MAX_HEADERS};
use http::{HeaderMap, Version};

/// The parts of the first line, the headers, and the bytes left in the input.
type Outcome = (Vec<String>, HeaderMap, Vec<u8>);

#[derive(Debug, Clone, Copy)]
enum Kind {
    Request,
    Response,
}

/// Reads `chunks` until the head is complete or an error. Returns how many chunks that took.
fn read<'a>(
    kind: Kind,
    chunks: impl IntoIterator<Item = &'a [u8]>,
) -> (usize, Result<Option<Outcome>, HeadError>) {
    let (mut reader, mut input) = (HeadReader::new(), BytesMut::new());
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
            // The split may be after the head: only bytes that arrived can be left in the input.
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

/// Makes a head of exactly `length` bytes.
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
            assert_eq!(read(kind, larger.as_bytes().chunks(size)).1, Err(HeadError::TooLong));
        }
        // A head that does not end fails at the first byte after the limit.
        let endless = head_of(kind, 1 << 20);
        let (count, outcome) = read(kind, endless.as_bytes().chunks(1));
        assert_eq!((count, outcome), (MAX_BYTES + 1, Err(HeadError::TooLong)));
    }
    let endless_line = "GET /".to_owned() + &"x".repeat(1 << 20);
    let (count, outcome) = read(Kind::Request, endless_line.as_bytes().chunks(1));
    assert_eq!((count, outcome), (MAX_BYTES + 1, Err(HeadError::TooLong)));
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
        assert_eq!(is_ok(&with(MAX_HEADERS + 1)), Err(HeadError::TooManyHeaders));
        assert_eq!(is_ok(&with(2000)), Err(HeadError::TooManyHeaders));
        assert_eq!(is_ok(&with(10_000)), Err(HeadError::TooLong));
    }
}

/// Invalid header lines.
const MALFORMED: &[&[u8]] = &[
    b"no colon",
    b": no name",
    b"space before : colon",
    b" leading space: x",
    b"x: folded\r\n value",
    b"x: folded\r\n\tvalue",
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

/// RFC6455-3-1: `http::Uri` would silently drop the fragment.
#[test]
fn a_target_with_a_fragment_is_malformed() {
    for target in ["/chat#", "/chat#x", "/?q#x", "http://a/#x"] {
        let outcome = request(head(&REQUEST, "GET", &[&format!("GET {target} HTTP/1.1")]));
        assert!(matches!(outcome, Err(HeadError::Malformed(_))), "{target}: {outcome:?}");
    }
}

/// RFC 9110 section 5.5: such bytes are opaque data, and kept unchanged.
#[test]
fn a_header_value_may_have_8_bit_bytes() {
    for (kind, good) in heads() {
        let (first, rest) = good.split_once("X-Twice: 1").unwrap();
        let wire = [first.as_bytes(), b"x: \x80\xFF\xC3\xA4 \t", rest.as_bytes()].concat();
        let (_, headers, _) = read(kind, [&wire[..]]).1.unwrap().unwrap();
        assert_eq!(headers["x"].as_bytes(), b"\x80\xFF\xC3\xA4");
    }
}

/// Parsers that disagree about line ends disagree about where a request ends.
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

/// Bytes that are not HTTP/1 are refused at the first byte that shows it.
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
        (Kind::Request, (b"\r\n\r\n", 1)),
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
        (HeadError::TooLong, 431),
        (HeadError::TooManyHeaders, 431),
        (HeadError::BareLineFeed, 400),
        (HeadError::NotHttp("x".to_owned()), 400),
        (HeadError::Malformed("x".to_owned()), 400),
    ] {
        let response = error.rejection().to_response();
        assert_eq!(response.status(), status);
        assert_eq!(response.headers()["connection"], "close");
    }
}
