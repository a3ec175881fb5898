use fullduplex_proto::{Part, Received};

/// The messages and bytes that one connection has transferred since its counts were last added to those of
/// the server.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct CounterDelta {
    pub(crate) messages_received: u32,
    pub(crate) messages_sent: u32,
    /// Bytes read from the transport.
    pub(crate) bytes_received: u32,
    /// Bytes written to the transport.
    pub(crate) bytes_sent: u32,
}

impl CounterDelta {
    /// Returns whether all counts are zero.
    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    pub(crate) fn count_received(&mut self, event: &Received) {
        match event {
            Received::Message(_) | Received::Part(Part { last: true, .. }) => {
                self.count_messages(1)
            }
            _ => {}
        }
    }

    pub(crate) fn count_messages(&mut self, count: usize) {
        self.messages_received = add(self.messages_received, count);
    }

    pub(crate) fn count_sent(&mut self) {
        self.messages_sent = self.messages_sent.saturating_add(1);
    }

    pub(crate) fn count_read(&mut self, bytes: usize) {
        self.bytes_received = add(self.bytes_received, bytes);
    }

    pub(crate) fn count_written(&mut self, bytes: usize) {
        self.bytes_sent = add(self.bytes_sent, bytes);
    }
}

/// Saturates, because the counts of a connection without a server are never reset.
fn add(sum: u32, bytes: usize) -> u32 {
    sum.saturating_add(bytes.try_into().unwrap_or(u32::MAX))
}
