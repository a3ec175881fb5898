use std::sync::{Arc, OnceLock};

use bytes::Bytes;

use crate::deflate::{ContextParams, ContextTakeover, Deflater, WindowBits};
use crate::message::Message;

/// A message for many connections: cloning it copies nothing, no connection of a server copies a
/// large payload, and it is compressed once for all connections that agreed on the same window.
///
/// It is compressed on its own, whether or not the connections keep their context; so where they do,
/// a message that goes to one connection compresses better as a plain [`Message`].
#[derive(Debug, Clone)]
pub struct Prepared(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    message: Message,
    /// The payload of the compressed message, for each size of the window.
    deflated: [OnceLock<Bytes>; WINDOW_SIZES],
}

const WINDOW_SIZES: usize = (WindowBits::MAX.get() - WindowBits::MIN.get() + 1) as usize;

impl Prepared {
    /// Prepares a message. It is compressed when the first connection needs it.
    pub fn new(message: impl Into<Message>) -> Self {
        let deflated = [const { OnceLock::new() }; WINDOW_SIZES];
        Self(Arc::new(Inner { message: message.into(), deflated }))
    }

    /// The message.
    pub fn message(&self) -> &Message {
        &self.0.message
    }

    /// The payload of the message compressed for a window of that size, which is empty before it.
    pub(crate) fn deflated(&self, window_bits: WindowBits) -> &Bytes {
        let index = window_bits.get() - WindowBits::MIN.get();
        self.0.deflated[usize::from(index)].get_or_init(|| {
            let mut deflater =
                Deflater::new(ContextParams { window_bits, takeover: ContextTakeover::No });
            deflater.deflate(self.message().payload(), true).into()
        })
    }
}
