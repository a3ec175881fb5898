//! Handshake requests and responses that are very long.

use allocation_counter::measure;
use bytes::BytesMut;
use fullduplex_proto::Limits;
use fullduplex_proto::handshake::Offer;
use fullduplex_proto::handshake::head::{HeadError, HeadReader};

use crate::{assert_linear, show};

use crate::support::opening::*;

type Verdict = Result<bool, HeadError>;

/// Returns whether a head is complete when `wire` has arrived in pieces of `size` bytes.
fn request_in(size: usize, wire: &[u8]) -> Verdict {
    let (mut reader, mut input) = (HeadReader::new(Limits::default()), BytesMut::new());
    in_pieces(size, wire, &mut input, |input| reader.request(input).map(|head| head.is_some()))
}

fn response_in(size: usize, wire: &[u8]) -> Verdict {
    let (mut reader, mut input) = (HeadReader::new(Limits::default()), BytesMut::new());
    in_pieces(size, wire, &mut input, |input| reader.response(input).map(|head| head.is_some()))
}

fn in_pieces(
    size: usize,
    wire: &[u8],
    input: &mut BytesMut,
    mut read: impl FnMut(&mut BytesMut) -> Verdict,
) -> Verdict {
    for piece in wire.chunks(size) {
        input.extend_from_slice(piece);
        if read(input)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Fault FT-25: a head that is too long takes at most the memory of the limit, plus the memory of the copies
/// while the buffer grows.
#[test]
fn a_head_takes_memory_up_to_its_limit() {
    let one_header = format!("x: {}", "y".repeat(64 << 10));
    let endless = vec!["x: y"; (1 << 20) / "x: y\r\n".len()];
    let long_names: Vec<String> = (0..10_000).map(|i| format!("header-{i}: x")).collect();
    let long_names: Vec<&str> = long_names.iter().map(String::as_str).collect();
    for (attack, lines, error) in [
        ("one header of 64 KiB", &[&*one_header][..], HeadError::TooLong(MAX_BYTES)),
        ("a head of 1 MiB", &endless, HeadError::TooManyHeaders(MAX_HEADERS)),
        ("10,000 headers", &long_names, HeadError::TooManyHeaders(MAX_HEADERS)),
        ("101 headers", &vec!["a: b"; MAX_HEADERS + 1], HeadError::TooManyHeaders(MAX_HEADERS)),
    ] {
        let mut most = 0;
        for (first, read) in
            [(REQUEST[0], request_in as fn(usize, &[u8]) -> Verdict), (RESPONSE[0], response_in)]
        {
            let wire = head(&[first], "", lines);
            for size in [1, 4096] {
                let cost = measure(|| assert_eq!(read(size, wire.as_bytes()), Err(error.clone())));
                most = most.max(cost.bytes_max);
            }
        }
        show("FT-25", attack, format!("peak {most} bytes"));
        assert!(most <= 4 * MAX_BYTES as u64);
    }
}

/// Returns `count` further elements of a list, all different.
fn distinct(count: usize) -> String {
    (0..count).map(|number| format!(", b{number:04}")).collect()
}

/// Faults FT-25, H1, H3 and H4: heads that arrive byte by byte, and the lists in them.
#[test]
fn heads_take_linear_time() {
    let lists: [fn(usize) -> String; 5] = [
        |bytes| format!("X: {}", "y".repeat(bytes)),
        |bytes| format!("Connection: Upgrade{}", ", b".repeat(bytes / 3)),
        |bytes| format!("Sec-WebSocket-Protocol: a{}", distinct(bytes / 7)),
        |bytes| format!("Sec-WebSocket-Extensions: a{}", "; b=1".repeat(bytes / 5)),
        |bytes| format!("Sec-WebSocket-Extensions: a; b=\"{}", "\\c".repeat(bytes / 2)),
    ];
    for list in lists {
        let ratio = assert_linear(12_000, |bytes| {
            let head = head(&REQUEST, "", &[&list(bytes)]);
            assert_eq!(request_in(1, head.as_bytes()), Ok(true));
            // This test measures only the time and ignores the result.
            drop(Offer::from_request(&request(head).unwrap().unwrap()));
        });
        let figure = format!("{ratio:.2} times the time of 8 times 1.5 KB");
        show("FT-25", format!("12 KB of `{}`", list(10)), figure);
    }
}
