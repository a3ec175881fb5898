use std::sync::{Arc, OnceLock};

use bytes::Bytes;

use crate::deflate::{Deflater, WindowBits};
use crate::message::Message;

/// A message for many connections. A clone does not copy the message. The connections of a server do not copy
/// a large payload. The message is compressed only once for each window size.
///
/// The message is compressed without the context of a connection. So for a single connection with context
/// takeover, a plain [`Message`] compresses better.
#[derive(Debug, Clone)]
pub struct Prepared(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    message: Message,
    /// The compressed payload for each window size.
    deflated: [OnceLock<Bytes>; WINDOW_SIZES],
}

const WINDOW_SIZES: usize = (WindowBits::MAX.get() - WindowBits::MIN.get() + 1) as usize;

impl Prepared {
    /// Prepares a message. It is compressed when a connection with compression first sends it.
    pub fn new(message: impl Into<Message>) -> Self {
        let deflated = [const { OnceLock::new() }; WINDOW_SIZES];
        Self(Arc::new(Inner { message: message.into(), deflated }))
    }

    /// Returns the message.
    pub fn message(&self) -> &Message {
        &self.0.message
    }

    /// Returns the payload, compressed without context for the window size of `deflater`.
    pub(crate) fn deflated(&self, deflater: &Deflater) -> &Bytes {
        let index = deflater.window_bits().get() - WindowBits::MIN.get();
        self.0.deflated[usize::from(index)]
            .get_or_init(|| deflater.deflate_alone(self.message().payload()).into())
    }
}
