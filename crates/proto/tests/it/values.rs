//! The return values of small public methods. Mutation testing showed that no other test checks them.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use fullduplex_proto::handshake::{Answer, Nonce, Offer, Subprotocol, Subprotocols};
use fullduplex_proto::{
    CloseCode, CloseReason, CompressionLevel, CompressionLevelError, Connection, ConnectionError,
    ContextParams, ContextTakeover, DeflateConfig, Encoder, Limits, Message, Misuse, Observer,
    Outgoing, Part, Prepared, Role, Text, Timeouts, Url, Violation, WindowBits,
};

use crate::support::opening::NONCE;
use crate::support::pair::Clock;
use crate::support::*;

const RSV1: u8 = 0b100;

fn no_timeouts() -> Timeouts {
    let mut timeouts = Timeouts::default();
    (timeouts.ping, timeouts.idle, timeouts.message) = (None, None, None);
    timeouts
}

#[test]
fn a_batch_knows_how_many_messages_are_left() {
    let mut connection = connection(Role::Server);
    let frames = ["one", "two", "three"].map(|text| frame(TEXT, text).to(Role::Server)).concat();
    let mut batch = connection.take_messages(&mut BytesMut::from(&frames[..]));
    assert_eq!((batch.len(), batch.size_hint()), (3, (3, Some(3))));
    assert_eq!(batch.next(), Some("one".into()));
    assert_eq!((batch.len(), batch.size_hint()), (2, (2, Some(2))));
    assert_eq!(batch.collect::<Vec<Message>>(), ["two".into(), "three".into()]);
    let binary = frame(BINARY, "four").to(Role::Server);
    assert_eq!(connection.take_messages(&mut BytesMut::from(&binary[..])).len(), 1);
}

/// A batch has no frame whose length is not in its shortest form (RFC6455-5.2-4).
#[test]
fn a_batch_contains_only_valid_frames() {
    for (len, is_valid) in [(125, false), (126, true)] {
        let mut frame = vec![0x82, 0xFE, 0, len, 0, 0, 0, 0];
        frame.resize(8 + usize::from(len), 0);
        let mut input = BytesMut::from(&frame[..]);
        let mut connection = connection(Role::Server);
        assert_eq!(connection.take_messages(&mut input).len(), usize::from(is_valid), "{len}");
        assert_eq!(connection.handle_input(&mut input).is_ok(), is_valid, "{len}");
    }
}

#[test]
fn only_a_batch_with_messages_postpones_the_idle_deadline() {
    let mut timeouts = no_timeouts();
    timeouts.idle = Some(Duration::from_secs(10));
    let mut connection = connection(Role::Server).with_timeouts(timeouts);
    let start = Clock::new().now;
    let at = |seconds| start + Duration::from_secs(seconds);
    assert_eq!(connection.handle_timeout(start), Some(at(10)));
    assert_eq!(connection.take_messages(&mut BytesMut::new()).len(), 0);
    assert_eq!(connection.handle_timeout(at(5)), Some(at(10)));
    let mut input = BytesMut::from(&frame(TEXT, "a").to(Role::Server)[..]);
    assert_eq!(connection.take_messages(&mut input).len(), 1);
    assert_eq!(connection.handle_timeout(at(5)), Some(at(15)));
}

#[test]
fn a_close_code_is_compared_and_shown_as_a_number() {
    assert!(CloseCode::NORMAL == 1000 && CloseCode::NORMAL != 1001);
    assert_eq!(format!("{0} {0:?}", CloseCode::NORMAL), "1000 CloseCode(1000)");
}

#[test]
fn a_subprotocol_and_a_url_are_shown_as_they_are() {
    assert_eq!(Subprotocol::new("chat").unwrap().to_string(), "chat");
    assert_eq!(Url::parse("ws://example.com/a").unwrap().to_string(), "ws://example.com/a");
}

#[test]
fn a_message_is_shown_without_its_bytes() {
    assert_eq!(format!("{:?}", Message::from("hi")), r#"Text("hi")"#);
    assert_eq!(format!("{:?}", Message::from(vec![1, 2])), "Binary(2 bytes)");
    assert!(Message::from("").is_empty() && !Message::from("hi").is_empty());
}

#[test]
fn a_connection_returns_its_timeouts() {
    let mut timeouts = no_timeouts();
    timeouts.close = Duration::from_secs(7);
    let connection = connection(Role::Server).with_timeouts(timeouts);
    assert_eq!(connection.timeouts().close(), Duration::from_secs(7));
}

#[test]
fn a_connection_knows_whether_a_message_has_begun() {
    let mut connection = connection(Role::Server);
    assert!(connection.is_between_messages());
    events(&mut connection, &frame(TEXT, "a").unfinished().to(Role::Server));
    assert!(!connection.is_between_messages());
    events(&mut connection, &frame(CONTINUATION, "b").to(Role::Server));
    assert!(connection.is_between_messages());
}

#[test]
fn an_encoder_sends_no_message_after_its_close() {
    let mut encoder = Encoder::server();
    encoder.close(None);
    assert_eq!(encoder.send("a"), Err(Misuse::Closing));
    assert_eq!(encoder.ping(b"a"), Err(Misuse::Closing));
}

#[test]
fn a_send_buffer_moves_between_connections() {
    let [mut one, mut other] = [connection(Role::Server), connection(Role::Server)];
    assert!(!one.has_buffer() && one.take_buffer().is_none());
    one.send("a").unwrap();
    assert!(one.has_buffer() && one.take_buffer().is_none(), "output is queued");
    drain(&mut one);
    let buffer = one.take_buffer().unwrap();
    assert!(!one.has_buffer());
    other.lend_buffer(buffer);
    assert!(other.has_buffer());
}

#[test]
fn a_connection_with_work_is_not_parked() {
    let mut connection = connection(Role::Server);
    connection.send("a").unwrap();
    assert!(connection.park().is_none(), "output is queued");
    drain(&mut connection);
    assert!(connection.park().is_some());
    connection.send_part(&Part { content: "a".into(), last: false }).unwrap();
    drain(&mut connection);
    assert!(connection.park().is_none(), "a message has begun");
}

/// Creates a server's end whose server window has this size.
fn deflating(window_bits: u8) -> Connection {
    let window_bits = WindowBits::new(window_bits).expect("8 to 15");
    let mut agreed = DeflateConfig::default();
    agreed.server = ContextParams { window_bits, takeover: ContextTakeover::Yes };
    agreed.threshold = 10;
    connection(Role::Server).with_deflate(agreed)
}

/// A Prepared message is compressed for each size of a window.
#[test]
fn a_prepared_message_fits_the_window_of_each_connection() {
    // A window of 512 bytes does not contain the first half when the second half is compressed.
    let mut state = 1_u32;
    let half: Vec<u8> = std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    })
    .take(1000)
    .collect();
    let prepared = Prepared::new(half.repeat(2));
    let lengths = [15, 9].map(|window_bits| {
        let mut connection = deflating(window_bits);
        connection.send_outgoing(&Outgoing::from(prepared.clone())).unwrap();
        sent(&mut connection)[0].payload.len()
    });
    assert!(lengths[0] < 1100 && lengths[1] > 1900, "{lengths:?}");
}

#[test]
fn a_message_needs_a_context_from_the_threshold_on() {
    let mut connection = deflating(15);
    let part = |len: usize, last| Part { content: vec![7; len].into(), last };
    for (len, last, is_needed) in [(9, true, false), (10, true, true), (9, false, true)] {
        assert_eq!(connection.context_needed_for_part(&part(len, last)) > 1, is_needed, "{len}");
        if last {
            let message = Outgoing::from(vec![7; len]);
            assert_eq!(connection.context_needed(&message) > 1, is_needed, "{len}");
        }
    }
    // A short message in one part is not compressed, and a part of a longer message is.
    connection.send_part(&part(9, true)).unwrap();
    assert_eq!(sent(&mut connection)[0].reserved, 0);
    assert_eq!(connection.context_bytes(), 0);
    connection.send_part(&part(9, false)).unwrap();
    assert_eq!(sent(&mut connection)[0].reserved, RSV1);

    // Compression does not start within a message.
    let mut connection = deflating(15);
    connection.allow_context(false);
    connection.send_part(&part(9, false)).unwrap();
    connection.allow_context(true);
    assert_eq!(connection.context_needed_for_part(&part(10, true)), 0);
    assert_eq!(self::connection(Role::Server).context_needed_for_part(&part(10, true)), 0);
}

/// The held memory is that of the input, the contexts and the output together.
#[test]
fn held_bytes_are_a_sum() {
    let mut connection = deflating(9);
    connection.send(vec![7; 100]).unwrap();
    let queued = connection.queued_bytes() as usize;
    let contexts = connection.context_bytes();
    assert!(queued > 0 && contexts > 0);
    let input = BytesMut::with_capacity(10_000);
    let empty = connection.held_bytes(&BytesMut::new());
    assert_eq!(empty, queued + contexts);
    let mut input = input;
    input.extend_from_slice(b"a");
    assert_eq!(connection.held_bytes(&input), empty + input.capacity());
}

/// A message in fragments takes no more memory than its limit.
#[test]
fn fragments_take_no_more_memory_than_the_limit() {
    let mut limits = Limits::default();
    limits.message_bytes = 100_000;
    let mut connection = limited(Role::Server, limits);
    for (opcode, len) in [(BINARY, 30_000), (CONTINUATION, 30_000), (CONTINUATION, 30_000)] {
        events(&mut connection, &frame(opcode, vec![7; len]).unfinished().to(Role::Server));
    }
    let held = connection.held_bytes(&BytesMut::new());
    assert!((90_000..=100_000).contains(&held), "{held}");
}

#[test]
fn a_compression_level_is_1_to_9() {
    for level in 0..=10 {
        let checked = CompressionLevel::new(level).map(CompressionLevel::get);
        let is_valid = (1..=9).contains(&level);
        assert_eq!(checked, if is_valid { Ok(level) } else { Err(CompressionLevelError(level)) });
    }
    let error = CompressionLevelError(10).to_string();
    assert_eq!(error, "a compression level must be 1 to 9, not 10");
}

#[test]
fn a_reason_is_read_as_a_string() {
    let reason = CloseReason::new("bye").unwrap();
    assert_eq!((reason.as_str(), &*reason, reason.to_string()), ("bye", "bye", "bye".into()));
    assert!(reason == *"bye" && reason != *"hi");
    assert!(reason == "bye" && reason != "hi");
}

#[test]
fn a_text_becomes_a_string_or_bytes() {
    let text = Text::from("grüße");
    assert_eq!(String::from(text.clone()), "grüße");
    assert_eq!(text.clone().into_bytes(), "grüße");
    assert_eq!(Bytes::from(text), "grüße");
}

#[test]
fn a_text_is_compared_with_strings() {
    let text = Text::from("a");
    assert_eq!(AsRef::<str>::as_ref(&text), "a");
    assert_eq!(text, *"a");
    assert_ne!(text, *"b");
    assert_eq!(*"a", text);
    assert_ne!(*"b", text);
    assert_eq!(text, "a");
    assert_ne!(text, "b");
    assert_eq!("a", text);
    assert_ne!("b", text);
    let [a, b] = ["a", "b"].map(String::from);
    assert_eq!(text, a);
    assert_ne!(text, b);
    assert_eq!(a, text);
    assert_ne!(b, text);
}

/// A connection that exceeds the memory budget of a server is closed with 1013, unless it has already ended.
#[test]
fn a_connection_over_budget_fails() {
    let mut over = connection(Role::Server);
    over.fail_over_budget();
    assert_eq!(over.failure(), Some(ConnectionError::Violation(Violation::OverBudget)));
    assert_eq!(sent(&mut over)[0].close_code(), Some(1013));

    let mut closed = connection(Role::Server);
    events(&mut closed, &close_frame(1000, "").to(Role::Server));
    closed.fail_over_budget();
    assert_eq!(closed.failure(), None);
}

#[test]
fn an_answer_names_the_chosen_subprotocol() {
    let names = |names: &[&str]| Subprotocols::new(names.iter().copied()).unwrap();
    let offer = Offer::new(Nonce(NONCE), names(&["chat", "news"]));
    let chosen = |answer: &Answer| answer.subprotocol().map(|name| name.as_str().to_owned());

    let answer = Answer::choosing(&offer, &names(&["other", "news"]));
    assert_eq!(chosen(&answer), Some("news".into()));
    let answer = answer.with_subprotocol(&offer, Subprotocol::new("chat").unwrap()).unwrap();
    assert_eq!(chosen(&answer), Some("chat".into()));
    assert!(answer.with_subprotocol(&offer, Subprotocol::new("other").unwrap()).is_err());
}

#[test]
fn an_observer_shows_the_reserved_bits() {
    let mut observer = Observer::new(Role::Server, 100);
    for reserved in 0..8 {
        let bytes = Frame { reserved, ..frame(TEXT, "a") }.to(Role::Server);
        let shown = observer.observe(&mut &bytes[..]).unwrap();
        assert_eq!(shown.reserved, reserved);
    }
}

#[test]
fn an_observer_knows_whether_a_frame_has_begun() {
    let mut observer = Observer::new(Role::Server, 100);
    let bytes = frame(TEXT, "a").to(Role::Server);
    for (bytes, is_between) in [(&bytes[..0], true), (&bytes[..3], false), (&bytes[3..], true)] {
        observer.observe(&mut &bytes[..]);
        assert_eq!(observer.is_between_frames(), is_between);
    }
}

/// A connection is settled only if all its timeouts have started. Then a driver need not call it before the
/// next deadline.
#[test]
fn a_connection_is_settled_once_its_timeouts_have_started() {
    let limit = Duration::from_secs(10);
    let now = Clock::new().now;
    assert!(connection(Role::Server).with_timeouts(no_timeouts()).is_settled());
    let mut ping = no_timeouts();
    ping.ping = Some(limit);
    let mut idle = no_timeouts();
    idle.idle = Some(limit);
    for timeouts in [ping, idle] {
        let mut connection = connection(Role::Server).with_timeouts(timeouts);
        assert!(!connection.is_settled());
        assert_eq!(connection.handle_timeout(now), Some(now + limit));
        assert!(connection.is_settled());
        connection.close(None);
        assert!(!connection.is_settled(), "the deadline of closing has to start");
    }
}

/// A context is freed only after it was not used for 15 to 30 seconds.
#[test]
fn a_context_is_held_while_it_is_used() {
    let agreed = DeflateConfig::default();
    let mut connection = connection(Role::Server).with_timeouts(no_timeouts()).with_deflate(agreed);
    assert!(!connection.has_deadline() && connection.is_settled());
    let hello = Frame { reserved: RSV1, ..frame(TEXT, b"\xf2\x48\xcd\xc9\xc9\x07\x00") };
    assert_eq!(events(&mut connection, &hello.to(Role::Server)).len(), 1);

    let period = Duration::from_secs(15);
    let now = Clock::new().now;
    assert!(connection.has_deadline() && !connection.is_settled(), "it holds a context");
    assert_eq!(connection.handle_timeout(now), Some(now + period));
    assert!(connection.is_settled());
    let now = now + period;
    assert_eq!(connection.handle_timeout(now), Some(now + period), "used since the last check");
    let now = now + period;
    assert_eq!(connection.handle_timeout(now), None);
    assert!(!connection.has_deadline());
}
