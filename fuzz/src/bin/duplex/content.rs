use fullduplex_proto::{Message, Outgoing, Prepared};
use libfuzzer_sys::arbitrary::{self, Arbitrary};

/// How a message is sent.
#[derive(Debug, Clone, Copy, Arbitrary)]
pub(crate) enum Sending {
    Plain,
    Prepared,
    Uncompressed,
}

/// The content of a message or of a part of one.
#[derive(Debug, Clone, Copy, Arbitrary)]
pub(crate) struct Content {
    is_text: bool,
    len: u16,
    /// By how many bits the length is shifted right, so that most messages are short.
    shorter: u8,
}

impl Sending {
    pub(crate) fn outgoing(self, message: Message) -> Outgoing {
        match self {
            Self::Plain => message.into(),
            Self::Prepared => Prepared::new(message).into(),
            Self::Uncompressed => Outgoing::uncompressed(message),
        }
    }
}

impl Content {
    /// Makes a message. `number` makes its content unique.
    pub(crate) fn message(self, number: usize) -> Message {
        let len = usize::from(self.len >> (self.shorter % 16));
        if self.is_text {
            let number = number.to_string();
            let characters = number.chars().chain("aé€𝄞".chars().cycle());
            characters.take(len).collect::<String>().into()
        } else {
            (0..len).map(|index| (index * index + number) as u8).collect::<Vec<u8>>().into()
        }
    }
}
