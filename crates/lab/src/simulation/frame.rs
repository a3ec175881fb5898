//! A slow codec for frames. It follows RFC 6455 section 5.2 and does not use the codec of `fullduplex-proto`.

use fullduplex_proto::Role;

pub(super) const CONTINUATION: u8 = 0x0;
pub(super) const TEXT: u8 = 0x1;
pub(super) const BINARY: u8 = 0x2;
pub(super) const CLOSE: u8 = 0x8;
pub(super) const PING: u8 = 0x9;
pub(super) const PONG: u8 = 0xA;
/// The reserved bit that marks compressed messages (RFC 7692 section 6).
pub(super) const RSV1: u8 = 0b100;

/// The masking key of frames that are written here.
const KEY: [u8; 4] = [0x37, 0xFA, 0x21, 0x3D];

/// A frame's header.
#[derive(Debug, Clone, Copy)]
pub(super) struct Header {
    pub(super) fin: bool,
    /// RSV1, RSV2, RSV3 in the low bits.
    pub(super) reserved: u8,
    pub(super) opcode: u8,
    pub(super) mask: Option<[u8; 4]>,
    pub(super) length: u64,
    /// The header's own length.
    pub(super) size: usize,
}

impl Header {
    /// Parses a header. Returns `None` if it is incomplete.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let (&first, rest) = bytes.split_first()?;
        let (&second, rest) = rest.split_first()?;
        let (width, least) = match second & 0x7F {
            126 => (2, 126),
            127 => (8, 0x1_0000),
            _ => (0, 0),
        };
        let (long, rest) = rest.split_at_checked(width)?;
        let length = match width {
            0 => u64::from(second & 0x7F),
            _ => long.iter().fold(0, |length, &byte| length << 8 | u64::from(byte)),
        };
        assert!(length >= least, "I1: the length {length} is not in its shortest form");
        let masked = second >= 0x80;
        let mask = if masked { Some(*rest.first_chunk()?) } else { None };
        Some(Self {
            fin: first >= 0x80,
            reserved: first >> 4 & 0b111,
            opcode: first & 0xF,
            mask,
            length,
            size: 2 + width + if masked { 4 } else { 0 },
        })
    }

    pub(super) fn is_control(&self) -> bool {
        self.opcode >= 0x8
    }

    /// Masks or unmasks the bytes of the payload that begin at `offset`.
    pub(super) fn unmask(&self, offset: u64, bytes: &mut [u8]) {
        if let Some(key) = self.mask {
            for (index, byte) in (offset..).zip(bytes) {
                *byte ^= key[(index % 4) as usize];
            }
        }
    }

    fn write(&self, out: &mut Vec<u8>) {
        let mask_bit = if self.mask.is_some() { 0x80 } else { 0 };
        out.push(u8::from(self.fin) << 7 | self.reserved << 4 | self.opcode);
        match self.length {
            0..126 => out.push(mask_bit | self.length as u8),
            126..0x1_0000 => {
                out.push(mask_bit | 126);
                out.extend(&self.length.to_be_bytes()[6..]);
            }
            _ => {
                out.push(mask_bit | 127);
                out.extend(self.length.to_be_bytes());
            }
        }
        out.extend(self.mask.iter().flatten());
    }
}

/// Encodes a control frame of an end with the role `writer`.
pub(super) fn control(writer: Role, opcode: u8, payload: &[u8]) -> Vec<u8> {
    let mask = (writer == Role::Client).then_some(KEY);
    let length = payload.len() as u64;
    let header = Header { fin: true, reserved: 0, opcode, mask, length, size: 0 };
    let mut bytes = Vec::new();
    header.write(&mut bytes);
    let start = bytes.len();
    bytes.extend_from_slice(payload);
    header.unmask(0, &mut bytes[start..]);
    bytes
}

/// Masks or unmasks frames, as an end with the role `writer` would send them. The last frame may be
/// incomplete.
pub(super) fn mirrored(mut wire: &[u8], writer: Role) -> Vec<u8> {
    let mut out = Vec::with_capacity(wire.len() * 2);
    while let Some(header) = Header::read(wire) {
        let mask = (writer == Role::Server).then_some(KEY);
        let mirror = Header { mask, ..header };
        mirror.write(&mut out);
        let end = wire.len().min(header.size.saturating_add(header.length as usize));
        let start = out.len();
        out.extend_from_slice(&wire[header.size..end]);
        header.unmask(0, &mut out[start..]);
        mirror.unmask(0, &mut out[start..]);
        wire = &wire[end..];
    }
    out
}
