//! The frames that an observer reports.

use bytes::BytesMut;
use fullduplex_proto::handshake::agreed_deflate;
use fullduplex_proto::{
    Decoder, DeflateConfig, Limits, Observed, Observer, Opcode, Received, Role, Violation,
    WindowBits,
};
use http::{HeaderMap, HeaderValue, header::SEC_WEBSOCKET_EXTENSIONS};
use proptest::prelude::*;

use crate::support::*;

const RSV1: u8 = 0b100;
const KEEP: usize = 200;

/// Observes `chunks`. Returns all complete frames, and the last frame if it is incomplete.
fn observe<'a>(
    mut observer: Observer,
    chunks: impl IntoIterator<Item = &'a [u8]>,
) -> (Vec<Observed>, Option<Observed>) {
    let mut frames = Vec::new();
    for mut chunk in chunks {
        while let Some(frame) = observer.observe(&mut chunk) {
            frames.push(frame);
        }
        assert!(chunk.is_empty(), "the observer takes all bytes");
    }
    (frames, observer.finish())
}

fn contents(frames: &[Observed]) -> Vec<(u8, &[u8])> {
    frames.iter().map(|frame| (frame.opcode, &*frame.content)).collect()
}

#[test]
fn frames_are_observed_at_every_chunk_size() {
    for sender in ROLES {
        let frames = [
            frame(TEXT, "Grü").unfinished(),
            frame(PING, "between"),
            frame(CONTINUATION, "ße"),
            frame(BINARY, [7; 70_000]),
            close_frame(4000, "enough"),
        ];
        let wire: Vec<u8> = frames.into_iter().flat_map(|frame| frame.to(sender.peer())).collect();
        let (observed, rest) = observe(Observer::new(sender, KEEP), [&wire[..]]);
        assert_eq!(rest, None);
        assert_eq!(
            contents(&observed),
            [
                (TEXT, "Grü".as_bytes()),
                (PING, b"between"),
                (CONTINUATION, "ße".as_bytes()),
                (BINARY, &[7; KEEP]),
                (CLOSE, b"\x0F\xA0enough"),
            ]
        );
        assert!(observed.iter().all(|frame| frame.violation.is_none() && !frame.after_close));
        assert!(observed.iter().all(|frame| frame.mask.is_some() == (sender == Role::Client)));
        assert_eq!(observed.iter().filter(|frame| !frame.fin).count(), 1);
        let messages = observed.iter().map(|frame| frame.message);
        let text = Some(Opcode::Text);
        assert!(messages.eq([text, None, text, Some(Opcode::Binary), None]));
        assert_eq!((observed[3].payload_len, observed[3].content_len), (70_000, 70_000));
        for size in [1, 3, 1000] {
            let again = observe(Observer::new(sender, KEEP), wire.chunks(size));
            assert_eq!(again, (observed.clone(), None), "in chunks of {size}");
        }
    }
}

/// The examples of RFC 7692 section 7.2.3, in one connection.
#[test]
fn compressed_messages_are_inflated() {
    let deflated = |data: &[u8]| Frame { reserved: RSV1, ..frame(TEXT, data) };
    let frames = [
        deflated(b"\xf2\x48\xcd\xc9\xc9\x07\x00"),
        deflated(b"\xf2\x00\x11\x00\x00"),
        deflated(b"\xf2\x48\xcd").unfinished(),
        frame(PONG, ""),
        frame(CONTINUATION, b"\xc9\xc9\x07\x00"),
        frame(TEXT, "plain"),
    ];
    let wire: Vec<u8> = frames.iter().flat_map(Frame::bytes).collect();
    let observer = Observer::new(Role::Server, KEEP).with_deflate(DeflateConfig::default());
    let (observed, _) = observe(observer, wire.chunks(2));
    let text: Vec<&[u8]> = observed.iter().map(|frame| &*frame.content).collect();
    assert_eq!(text[..2], [b"Hello", b"Hello"]);
    assert_eq!([text[2], text[4]].concat(), b"Hello");
    assert_eq!(text[5], b"plain");
    let compressed: Vec<bool> = observed.iter().map(|frame| frame.compressed).collect();
    assert_eq!(compressed, [true, true, true, false, true, false]);
    assert_eq!(observed[0].payload_len, 7);
    assert!(observed.iter().all(|frame| frame.violation.is_none()), "{observed:?}");
}

/// A violation is reported, and the next frame is read.
#[test]
fn violations_are_reported_and_passed() {
    let violations: [(Frame, Violation); 9] = [
        (frame(0x3, "?"), Violation::UnknownOpcode(3)),
        (Frame { reserved: 0b010, ..frame(TEXT, "x") }, Violation::ReservedBit),
        (Frame { reserved: RSV1, ..frame(TEXT, "x") }, Violation::ReservedBit),
        (frame(PING, "x").unfinished(), Violation::FragmentedControlFrame),
        (frame(PING, [b'x'; 126]), Violation::ControlFrameTooLong),
        (frame(CONTINUATION, "x"), Violation::UnexpectedContinuation),
        (frame(TEXT, b"\xFF"), Violation::InvalidUtf8),
        (frame(TEXT, &"€".as_bytes()[..2]), Violation::InvalidUtf8),
        (Frame { mask: Some([1, 2, 3, 4]), ..frame(TEXT, "x") }, Violation::MaskedFrame),
    ];
    for (wrong, violation) in violations {
        let wire = [wrong.bytes(), frame(TEXT, "next").bytes()].concat();
        let (observed, rest) = observe(Observer::new(Role::Server, KEEP), [&wire[..]]);
        assert_eq!((observed.len(), rest), (2, None), "{violation}");
        assert_eq!(observed[0].violation, Some(violation));
        assert_eq!((observed[1].violation, &*observed[1].content), (None, &b"next"[..]));
    }
}

#[test]
fn corrupt_compressed_data_is_reported_once() {
    let corrupt = Frame { reserved: RSV1, ..frame(TEXT, [0xFF; 40]) };
    let wire = [corrupt.unfinished().bytes(), frame(CONTINUATION, "more").bytes()].concat();
    let observer = Observer::new(Role::Server, KEEP).with_deflate(DeflateConfig::default());
    let (observed, _) = observe(observer, wire.chunks(1));
    assert_eq!(observed[0].violation, Some(Violation::CorruptDeflate));
    assert_eq!((observed[1].violation, observed[1].content_len), (None, 0));
}

#[test]
fn frames_after_a_close_are_marked() {
    let wire = [close_frame(1000, "").bytes(), frame(TEXT, "late").bytes()].concat();
    let (observed, _) = observe(Observer::new(Role::Server, KEEP), [&wire[..]]);
    assert_eq!(observed.iter().map(|frame| frame.after_close).collect::<Vec<_>>(), [false, true]);
}

/// Only the beginning of the observed bytes is kept. This does not depend on the length in the header.
#[test]
fn an_observer_reserves_no_memory_for_announced_lengths() {
    for length in [1 << 40, (1 << 63) - 1, 1 << 63, u64::MAX] {
        let mut observer = Observer::new(Role::Server, KEEP);
        let mut wire = &[header(0x82, None, length), vec![b'x'; 100_000]].concat()[..];
        assert_eq!(observer.observe(&mut wire), None);
        assert!(!observer.is_between_frames());
        let cut = observer.finish().unwrap();
        assert_eq!((cut.payload_len, cut.passed), (length, 100_000));
        assert!(cut.content.len() == KEEP && cut.content.capacity() <= 4 * KEEP);
        assert_eq!(cut.violation.is_some(), length >= 1 << 63);
    }
}

#[test]
fn an_incomplete_last_frame_is_returned() {
    let wire = frame(TEXT, "hello").bytes();
    let (observed, cut) = observe(Observer::new(Role::Server, KEEP), [&wire[..wire.len() - 2]]);
    assert!(observed.is_empty());
    let cut = cut.unwrap();
    assert_eq!((&*cut.content, cut.passed, cut.payload_len), (&b"hel"[..], 3, 5));
}

#[test]
fn the_agreed_parameters_are_read_from_a_response() {
    let agreed = |value: &'static str| {
        let mut headers = HeaderMap::new();
        headers.insert(SEC_WEBSOCKET_EXTENSIONS, HeaderValue::from_static(value));
        agreed_deflate(&headers)
    };
    assert_eq!(agreed_deflate(&HeaderMap::new()), None);
    assert_eq!(agreed("permessage-deflate"), Some(DeflateConfig::default().into()));
    let narrow = agreed("permessage-deflate; server_max_window_bits=9").unwrap();
    assert_eq!(narrow.server.window_bits, WindowBits::new(9).unwrap());
    assert_eq!(agreed("x-other"), None);
    assert_eq!(agreed("permessage-deflate; unheard_of"), None);
}

/// Returns the violation that a decoder finds, or `None` if it reads to the end or to a Close.
fn verdict(role: Role, deflate: Option<DeflateConfig>, wire: &[u8]) -> Option<Violation> {
    let mut decoder = Decoder::new(role, Limits::default());
    if let Some(agreed) = deflate {
        decoder = decoder.with_deflate(agreed);
    }
    let mut input = BytesMut::from(wire);
    loop {
        match decoder.handle(&mut input) {
            Ok(Some(Received::Close(_)) | None) => return None,
            Ok(Some(_)) => {}
            Err(violation) => return Some(violation),
        }
    }
}

fn any_frame() -> impl Strategy<Value = Frame> {
    let payload = prop_oneof![
        "[a-zä€𝄞]{0,9}".prop_map(String::into_bytes),
        prop::collection::vec(any::<u8>(), 0..140),
        Just(b"\xf2\x48\xcd\xc9\xc9\x07\x00".to_vec()),
        Just(vec![0x03, 0xE8]),
    ];
    let reserved = prop_oneof![8 => Just(0), 4 => Just(RSV1), 1 => 0..8u8];
    let opcode = prop_oneof![12 => prop::sample::select(vec![0, 1, 2, 9, 10]), 1 => 0..16u8];
    let fin = prop::bool::weighted(0.6);
    let mask = prop::bool::weighted(0.95);
    (fin, reserved, opcode, mask, payload).prop_map(|(fin, reserved, opcode, masked, payload)| {
        Frame { fin, reserved, opcode, mask: masked.then_some([5, 6, 7, 8]), payload }
    })
}

proptest! {
    /// An observer reports the same first violation as a decoder.
    #[test]
    fn an_observer_and_a_decoder_find_the_same_first_violation(
        frames in prop::collection::vec(any_frame(), 0..8),
        deflates: bool,
        size in 1..50usize,
    ) {
        let wire: Vec<u8> = frames.iter().flat_map(Frame::bytes).collect();
        let deflate = deflates.then(DeflateConfig::default);
        let mut observer = Observer::new(Role::Client, KEEP);
        if let Some(agreed) = deflate {
            observer = observer.with_deflate(agreed);
        }
        let (observed, rest) = observe(observer, wire.chunks(size));
        prop_assert_eq!((observed.len(), rest), (frames.len(), None));
        let first = observed.iter().filter(|frame| !frame.after_close);
        let first = first.clone().find_map(|frame| frame.violation);
        prop_assert_eq!(first, verdict(Role::Server, deflate, &wire));
    }
}

/// A short piece of a payload may inflate to much content, which ends anywhere.
#[test]
fn all_content_of_a_short_payload_is_counted() {
    let deflate = DeflateConfig::default();
    let mut sender = connection(Role::Server).with_deflate(deflate);
    let mut observer = Observer::new(Role::Server, KEEP).with_deflate(deflate);
    for len in 16_384..16_700 {
        sender.send("a".repeat(len)).unwrap();
        let wire = drain(&mut sender);
        assert!(wire.len() < 1000);
        let frame = observer.observe(&mut &wire[..]).unwrap();
        assert_eq!((frame.content_len, frame.violation), (len as u64, None));
    }
}

/// A payload may contain the final block of a compressed stream, and then another stream.
#[test]
fn content_after_a_final_block_is_shown() {
    let data = b"\xf3\x48\xcd\xc9\xc9\x07\x00\xf2\x48\xcd\xc9\xc9\x07\x00";
    let wire = Frame { reserved: RSV1, ..frame(TEXT, data) }.to(Role::Client);
    let mut observer = Observer::new(Role::Server, KEEP).with_deflate(DeflateConfig::default());
    let frame = observer.observe(&mut &wire[..]).unwrap();
    assert_eq!((&frame.content[..], frame.violation), (&b"HelloHello"[..], None));
}
