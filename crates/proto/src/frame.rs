use crate::mask::MaskKey;
use crate::opcode::Opcode;
use crate::violation::Violation;

/// The largest payload of a control frame (RFC6455-5.5-1), and the largest length that fits in seven bits.
pub(crate) const SHORT_PAYLOAD_MAX: usize = 125;

/// The length of the longest header.
pub(crate) const HEADER_MAX: usize = 14;

/// The reserved bit that marks a compressed message.
pub(crate) const RSV1: u8 = 0b100;

/// The first two bytes of a frame. All checks of the header use only these bytes, except for the check of the
/// length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FrameStart {
    pub(crate) fin: bool,
    /// RSV1, RSV2 and RSV3 in the low three bits.
    pub(crate) reserved: u8,
    pub(crate) opcode: Opcode,
    pub(crate) masked: bool,
    length: u8,
}

impl FrameStart {
    #[inline]
    pub(crate) fn parse([first, second]: [u8; 2]) -> Result<Self, Violation> {
        let bits = first & 0x0F;
        let opcode = Opcode::from_bits(bits).ok_or(Violation::UnknownOpcode(bits))?;
        let start = Self {
            fin: first & 0x80 != 0,
            reserved: first >> 4 & 0b111,
            opcode,
            masked: second & 0x80 != 0,
            length: second & 0x7F,
        };
        if opcode.is_control() {
            if !start.fin {
                return Err(Violation::FragmentedControlFrame);
            }
            if usize::from(start.length) > SHORT_PAYLOAD_MAX {
                return Err(Violation::ControlFrameTooLong);
            }
        }
        Ok(start)
    }

    /// Returns the length of the whole header.
    fn header_len(self) -> usize {
        let length = match self.length {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        2 + length + if self.masked { 4 } else { 0 }
    }
}

/// The header of a frame (RFC 6455 section 5.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameHeader {
    /// Whether this is the last frame of its message.
    pub fin: bool,
    /// RSV1, RSV2 and RSV3 in the low three bits. RSV1 is the highest of them.
    pub reserved: u8,
    /// The kind of the frame.
    pub opcode: Opcode,
    /// The masking key. Frames from a client have a masking key. Frames from a server have none.
    pub mask: Option<MaskKey>,
    /// The length of the payload in bytes, below 2^63.
    pub payload_len: u64,
}

impl FrameHeader {
    /// Parses a header at the beginning of `bytes`, and returns it with its length in bytes.
    ///
    /// Returns `None` if the header is incomplete. Does not check whether the frame is allowed in the
    /// current state of a connection.
    ///
    /// # Errors
    /// A [`Violation`] for a reserved opcode, a control frame that is fragmented or too long, and a length
    /// that is 2^63 or more or not in its shortest form.
    pub fn parse(bytes: &[u8]) -> Result<Option<(Self, usize)>, Violation> {
        let Some(&start) = bytes.first_chunk::<2>() else {
            return Ok(None);
        };
        let start = FrameStart::parse(start)?;
        Self::parse_rest(start, bytes)
    }

    #[inline]
    pub(crate) fn parse_rest(
        start: FrameStart,
        bytes: &[u8],
    ) -> Result<Option<(Self, usize)>, Violation> {
        let header_len = start.header_len();
        let Some(mut rest) = bytes.get(2..header_len) else {
            return Ok(None);
        };
        // RFC6455-5.2-5: in network byte order.
        let payload_len = match start.length {
            126 => u64::from(u16::from_be_bytes(take(&mut rest))),
            127 => u64::from_be_bytes(take(&mut rest)),
            short => u64::from(short),
        };
        // RFC6455-5.2-3, RFC6455-5.2-4
        if payload_len > i64::MAX as u64 {
            return Err(Violation::LengthOverflow(payload_len));
        }
        if payload_len < smallest_in_form(start.length) {
            return Err(Violation::LengthNotMinimal(payload_len));
        }
        let mask = start.masked.then(|| MaskKey(take(&mut rest)));
        let FrameStart { fin, reserved, opcode, .. } = start;
        Ok(Some((Self { fin, reserved, opcode, mask, payload_len }, header_len)))
    }

    /// Appends the header in its shortest form (RFC6455-5.2-4), and returns its length in bytes.
    #[inline]
    pub fn encode(&self, out: &mut Vec<u8>) -> usize {
        let fin_bit = if self.fin { 0x80 } else { 0 };
        let first = fin_bit | (self.reserved & 0b111) << 4 | self.opcode as u8;
        if self.mask.is_none() && self.payload_len <= SHORT_PAYLOAD_MAX as u64 {
            // The length is constant, so this is one store.
            out.extend_from_slice(&[first, self.payload_len as u8]);
            return 2;
        }
        self.encode_long(first, out)
    }

    fn encode_long(&self, first: u8, out: &mut Vec<u8>) -> usize {
        // The header is assembled on the stack and appended with one call, which is faster.
        let mut bytes = [0; HEADER_MAX];
        bytes[0] = first;
        let (length, mut end) = if self.payload_len <= SHORT_PAYLOAD_MAX as u64 {
            (self.payload_len as u8, 2)
        } else if let Ok(medium) = u16::try_from(self.payload_len) {
            bytes[2..4].copy_from_slice(&medium.to_be_bytes());
            (126, 4)
        } else {
            bytes[2..10].copy_from_slice(&self.payload_len.to_be_bytes());
            (127, 10)
        };
        bytes[1] = length;
        if let Some(MaskKey(key)) = self.mask {
            // RFC6455-5.3-1
            bytes[1] |= 0x80;
            bytes[end..end + 4].copy_from_slice(&key);
            end += 4;
        }
        out.extend_from_slice(&bytes[..end]);
        end
    }
}

fn smallest_in_form(length: u8) -> u64 {
    match length {
        126 => SHORT_PAYLOAD_MAX as u64 + 1,
        127 => u64::from(u16::MAX) + 1,
        _ => 0,
    }
}

/// Removes `N` bytes from the front, and returns them. The caller has checked that the header is complete.
fn take<const N: usize>(bytes: &mut &[u8]) -> [u8; N] {
    let (head, rest) = bytes.split_first_chunk::<N>().expect("the header's length was checked");
    *bytes = rest;
    *head
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_up_to_70_000_and_64_bit_boundaries_round_trip() {
        let boundaries = [1 << 31, (1 << 32) - 1, 1 << 32, (1 << 63) - 1];
        for payload_len in (0..=70_000).chain(boundaries) {
            for mask in [None, Some(MaskKey([1, 2, 3, 4]))] {
                let opcode = Opcode::Binary;
                let header = FrameHeader { fin: true, reserved: 0, opcode, mask, payload_len };
                let mut bytes = Vec::new();
                let len = header.encode(&mut bytes);
                assert!(len == bytes.len() && len <= 14);
                assert_eq!(FrameHeader::parse(&bytes), Ok(Some((header, len))));
                for cut in 0..len {
                    assert_eq!(FrameHeader::parse(&bytes[..cut]), Ok(None), "cut at {cut}");
                }
            }
        }
    }

    /// RFC6455-5.2-3, faults L1 to L11: many implementations crashed on a frame with such a length.
    #[test]
    fn lengths_of_2_to_the_63_and_more_are_refused() {
        for length in [1 << 63, u64::MAX, (1 << 63) + 1] {
            let mut bytes = vec![0x82, 127];
            bytes.extend_from_slice(&length.to_be_bytes());
            assert_eq!(FrameHeader::parse(&bytes), Err(Violation::LengthOverflow(length)));
        }
    }

    /// RFC6455-5.2-4.
    #[test]
    fn lengths_that_are_not_in_the_shortest_form_are_refused() {
        assert_eq!(FrameHeader::parse(&[0x82, 126, 0, 125]), Err(Violation::LengthNotMinimal(125)));
        let in_64_bits = [0x82, 127, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF];
        assert_eq!(FrameHeader::parse(&in_64_bits), Err(Violation::LengthNotMinimal(65_535)));
    }
}
