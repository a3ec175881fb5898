//! Helpers of the tests. Frames are encoded and parsed by code written from RFC 6455 section 5.2, not by
//! the crate's own codec.

#![allow(dead_code, reason = "each test binary uses a part of this module")]

pub(crate) mod inflate;
pub(crate) mod opening;
pub(crate) mod pair;

use std::io::IoSlice;
use std::time::Duration;

use bytes::BytesMut;
use fullduplex_proto::{Connection, Limits, Received, Role, Violation};

pub(crate) const CONTINUATION: u8 = 0x0;
pub(crate) const TEXT: u8 = 0x1;
pub(crate) const BINARY: u8 = 0x2;
pub(crate) const CLOSE: u8 = 0x8;
pub(crate) const PING: u8 = 0x9;
pub(crate) const PONG: u8 = 0xA;

pub(crate) const ROLES: [Role; 2] = [Role::Client, Role::Server];
pub(crate) const CLOSE_TIMEOUT: Duration = Duration::from_secs(10);

/// The mask of the frames that a scripted client sends.
const KEY: [u8; 4] = [0x37, 0xFA, 0x21, 0x3D];

/// A frame, valid or not. `payload` is not masked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) fin: bool,
    pub(crate) reserved: u8,
    pub(crate) opcode: u8,
    pub(crate) mask: Option<[u8; 4]>,
    pub(crate) payload: Vec<u8>,
}

/// Creates an unmasked frame with FIN.
pub(crate) fn frame(opcode: u8, payload: impl AsRef<[u8]>) -> Frame {
    let payload = payload.as_ref().to_vec();
    Frame { fin: true, reserved: 0, opcode, mask: None, payload }
}

/// Creates a Close frame with a body.
pub(crate) fn close_frame(code: u16, reason: impl AsRef<[u8]>) -> Frame {
    frame(CLOSE, [&code.to_be_bytes(), reason.as_ref()].concat())
}

impl Frame {
    /// Removes FIN.
    pub(crate) fn unfinished(self) -> Self {
        Self { fin: false, ..self }
    }

    /// Encodes the frame for an end with the role `role`. The frame is masked only if that end is a server.
    pub(crate) fn to(self, role: Role) -> Vec<u8> {
        let mask = (role == Role::Server).then_some(KEY);
        Self { mask, ..self }.bytes()
    }

    /// Encodes the frame, with its length in the shortest form.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut bytes = header(self.first_byte(), self.mask, self.payload.len() as u64);
        let key = self.mask.unwrap_or_default();
        bytes.extend(self.payload.iter().enumerate().map(|(i, byte)| byte ^ key[i % 4]));
        bytes
    }

    /// Returns the code in the body of a Close frame.
    pub(crate) fn close_code(&self) -> Option<u16> {
        assert_eq!(self.opcode, CLOSE);
        self.payload.first_chunk().map(|code| u16::from_be_bytes(*code))
    }

    fn first_byte(&self) -> u8 {
        u8::from(self.fin) << 7 | self.reserved << 4 | self.opcode
    }
}

/// Encodes a header for any length of up to 64 bits.
pub(crate) fn header(first_byte: u8, mask: Option<[u8; 4]>, length: u64) -> Vec<u8> {
    let mut bytes = vec![first_byte];
    match length {
        0..126 => bytes.push(length as u8),
        126..0x1_0000 => {
            bytes.push(126);
            bytes.extend(&length.to_be_bytes()[6..]);
        }
        _ => {
            bytes.push(127);
            bytes.extend(length.to_be_bytes());
        }
    }
    if let Some(key) = mask {
        bytes[1] |= 0x80;
        bytes.extend(key);
    }
    bytes
}

/// Encodes a header for an end with the role `role`; see [`header`].
pub(crate) fn header_to(role: Role, first_byte: u8, length: u64) -> Vec<u8> {
    header(first_byte, (role == Role::Server).then_some(KEY), length)
}

/// Parses frames. Panics on an incomplete frame and on a length that is not in its shortest form
/// (RFC6455-5.2-4).
pub(crate) fn parse_frames(bytes: &[u8]) -> Vec<Frame> {
    let mut rest = bytes.iter().copied();
    let mut frames = Vec::new();
    while let Some(first) = rest.next() {
        let mut next = || rest.next().expect("the output ends within a frame");
        let second = next();
        let mut length = 0u64;
        let (width, least) = match second & 0x7F {
            126 => (2, 126),
            127 => (8, 0x1_0000),
            short => (0, u64::from(short)),
        };
        (0..width).for_each(|_| length = length << 8 | u64::from(next()));
        let length = if width == 0 { least } else { length };
        assert!(length >= least, "{length} is written in a longer form than it needs");
        let mask = (second >= 0x80).then(|| [next(), next(), next(), next()]);
        let key = mask.unwrap_or_default();
        let payload = (0..length).map(|i| next() ^ key[i as usize % 4]).collect();
        let (fin, reserved, opcode) = (first >= 0x80, first >> 4 & 7, first & 0xF);
        frames.push(Frame { fin, reserved, opcode, mask, payload });
    }
    frames
}

/// Creates a connection with the default limits.
pub(crate) fn connection(role: Role) -> Connection {
    limited(role, Limits::default())
}

/// Creates a connection with the given limits. A client's masking keys are 1, 2, 3 …
pub(crate) fn limited(role: Role, limits: Limits) -> Connection {
    let mut count = 0u32;
    let masks = move || {
        count += 1;
        count.to_be_bytes()
    };
    match role {
        Role::Client => Connection::client(limits, CLOSE_TIMEOUT, Box::new(masks)),
        Role::Server => Connection::server(limits, CLOSE_TIMEOUT),
    }
}

/// Takes all output, like a transport that accepts everything.
pub(crate) fn drain(connection: &mut Connection) -> Vec<u8> {
    let mut wire = Vec::new();
    while !connection.is_flushed() {
        let mut slices = [IoSlice::new(&[]); 4];
        let count = connection.poll_output(&mut slices);
        assert!(count > 0, "output is queued, but no slice is filled");
        let before = wire.len();
        slices[..count].iter().for_each(|slice| wire.extend_from_slice(slice));
        connection.handle_written(wire.len() - before);
    }
    wire
}

/// Takes all output and parses it into frames.
pub(crate) fn sent(connection: &mut Connection) -> Vec<Frame> {
    parse_frames(&drain(connection))
}

/// Appends `bytes` to `input` and lets the connection read it. Returns the events and the violation.
pub(crate) fn read(
    connection: &mut Connection,
    input: &mut BytesMut,
    bytes: &[u8],
) -> (Vec<Received>, Option<Violation>) {
    input.extend_from_slice(bytes);
    let mut events = Vec::new();
    loop {
        match connection.handle_input(input) {
            Ok(Some(event)) => events.push(event),
            Ok(None) => return (events, None),
            Err(violation) => return (events, Some(violation)),
        }
    }
}

/// Does the same as [`read`] with an empty input.
pub(crate) fn receive(
    connection: &mut Connection,
    bytes: &[u8],
) -> (Vec<Received>, Option<Violation>) {
    read(connection, &mut BytesMut::new(), bytes)
}

/// Reads valid bytes, and returns the events.
pub(crate) fn events(connection: &mut Connection, bytes: &[u8]) -> Vec<Received> {
    let (events, violation) = receive(connection, bytes);
    assert_eq!(violation, None);
    events
}
