//! Our server and tungstenite's read the same bytes of a client, and must report the same messages and the
//! same end, except for the differences in [`is_known`].
#![no_main]

use std::io::{self, Read, Write};

use fullduplex_fuzz::Decoded;
use fullduplex_proto::{Decoder, Limits, Message, Received, Role, Violation};
use libfuzzer_sys::fuzz_target;
use tungstenite::error::ProtocolError;
use tungstenite::protocol::{self, WebSocket, WebSocketConfig};

/// The largest message. It is larger than any control frame, because tungstenite applies it to control frames
/// too.
const LIMIT: usize = 512;

fuzz_target!(|wire: &[u8]| {
    let ours = ours(wire);
    let theirs = theirs(wire);
    if ours != theirs && !is_known(&ours, &theirs) {
        panic!("ours: {ours:?}\ntheirs: {theirs:?}");
    }
});

#[derive(Debug, PartialEq)]
struct Outcome {
    /// All events except the Close.
    events: Vec<Received>,
    end: End,
}

#[derive(Debug, PartialEq)]
enum End {
    /// More bytes are needed.
    Open,
    /// A Close, with this code and reason.
    Closed(Option<(u16, String)>),
    Failed(Failure),
}

/// Why an end failed. All failures are equal.
#[derive(Debug)]
enum Failure {
    Ours(Violation),
    Theirs,
}

impl PartialEq for Failure {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

/// Returns whether tungstenite is known to be more lenient than RFC 6455 here, or to decide later.
fn is_known(ours: &Outcome, theirs: &Outcome) -> bool {
    if !theirs.events.starts_with(&ours.events) {
        return false;
    }
    let same_events = ours.events.len() == theirs.events.len();
    match (&ours.end, &theirs.end) {
        // RFC6455-5.2-4: tungstenite accepts lengths that are not in their shortest form. For a control
        // frame that form has seven bits.
        (
            End::Failed(Failure::Ours(
                Violation::LengthNotMinimal(_) | Violation::ControlFrameTooLong,
            )),
            _,
        ) => true,
        // We check a header at its first bytes and text as it arrives; tungstenite checks whole frames.
        (End::Failed(_), End::Open) => same_events,
        // RFC6455-7.4.1-1: tungstenite accepts a code that must not be sent, and replaces it by 1002.
        (End::Failed(Failure::Ours(Violation::CloseCode(_))), End::Closed(Some((1002, _)))) => {
            same_events
        }
        // IANA has assigned 1014 since the RFC; tungstenite does not support it.
        (End::Closed(Some((1014, _))), End::Closed(Some((1002, _)))) => same_events,
        _ => false,
    }
}

fn ours(wire: &[u8]) -> Outcome {
    let mut limits = Limits::default();
    limits.message_bytes = LIMIT;
    limits.message_frames = usize::MAX;
    let Decoded { mut events, violation } =
        Decoded::from(Decoder::new(Role::Server, limits), LIMIT, [wire]);
    let end = match (violation, events.pop_if(|event| matches!(event, Received::Close(_)))) {
        (Some(violation), _) => End::Failed(Failure::Ours(violation)),
        (None, Some(Received::Close(frame))) => {
            End::Closed(frame.map(|frame| (frame.code.get(), frame.reason.as_str().to_owned())))
        }
        _ => End::Open,
    };
    Outcome { events, end }
}

fn theirs(wire: &[u8]) -> Outcome {
    let config = WebSocketConfig::default()
        .read_buffer_size(1 << 10)
        .max_message_size(Some(LIMIT))
        .max_frame_size(Some(LIMIT));
    let role = protocol::Role::Server;
    let mut socket = WebSocket::from_raw_socket(Transport(wire), role, Some(config));
    let mut events = Vec::new();
    let end = loop {
        events.push(match socket.read() {
            Ok(tungstenite::Message::Text(text)) => Received::Message(Message::from(text.as_str())),
            Ok(tungstenite::Message::Binary(bytes)) => Received::Message(Message::from(bytes)),
            Ok(tungstenite::Message::Ping(payload)) => Received::Ping(payload),
            Ok(tungstenite::Message::Pong(payload)) => Received::Pong(payload),
            Ok(tungstenite::Message::Close(frame)) => {
                let frame = frame.map(|frame| (frame.code.into(), frame.reason.to_string()));
                break End::Closed(frame);
            }
            Ok(tungstenite::Message::Frame(_)) => unreachable!("`read` does not return frames"),
            Err(tungstenite::Error::Protocol(ProtocolError::ResetWithoutClosingHandshake)) => {
                break End::Open;
            }
            Err(_) => break End::Failed(Failure::Theirs),
        });
    };
    Outcome { events, end }
}

/// A transport that brings the bytes and then ends. It accepts all writes.
struct Transport<'a>(&'a [u8]);

impl Read for Transport<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl Write for Transport<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
