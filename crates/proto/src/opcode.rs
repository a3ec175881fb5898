/// The kind of a frame (RFC 6455 section 5.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Opcode {
    /// A further fragment of a message.
    Continuation = 0x0,
    /// The first or only frame of a text message.
    Text = 0x1,
    /// The first or only frame of a binary message.
    Binary = 0x2,
    /// Starts or answers the closing handshake.
    Close = 0x8,
    /// Requests a Pong with the same payload.
    Ping = 0x9,
    /// Answers a Ping. An unsolicited Pong shows that its sender is alive.
    Pong = 0xA,
}

impl Opcode {
    /// Converts the four opcode bits of a frame header. Returns `None` for the reserved values
    /// (RFC6455-5.2-2).
    pub fn from_bits(bits: u8) -> Option<Self> {
        Some(match bits {
            0x0 => Self::Continuation,
            0x1 => Self::Text,
            0x2 => Self::Binary,
            0x8 => Self::Close,
            0x9 => Self::Ping,
            0xA => Self::Pong,
            _ => return None,
        })
    }

    /// Returns whether this is Close, Ping or Pong. These frames may be sent between the fragments of a
    /// message.
    pub fn is_control(self) -> bool {
        matches!(self, Self::Close | Self::Ping | Self::Pong)
    }

    /// Returns whether this is Text or Binary, which only the first frame of a message has.
    pub(crate) fn begins_message(self) -> bool {
        matches!(self, Self::Text | Self::Binary)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC6455-5.2-2.
    #[test]
    fn six_of_sixteen_values_are_opcodes() {
        let known: Vec<u8> = (0..16).filter(|&bits| Opcode::from_bits(bits).is_some()).collect();
        assert_eq!(known, [0x0, 0x1, 0x2, 0x8, 0x9, 0xA]);
        for bits in known {
            let opcode = Opcode::from_bits(bits).unwrap();
            assert_eq!(opcode as u8, bits);
            assert_eq!(opcode.is_control(), bits >= 0x8);
        }
    }
}
