use fullduplex_proto::Event;

/// What one connection has moved since somebody took note of it.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) messages_received: u32,
    pub(crate) messages_sent: u32,
    /// Bytes of the transport.
    pub(crate) bytes_received: u32,
    pub(crate) bytes_sent: u32,
    /// Bytes of messages that the transport took.
    pub(crate) payload_written: u64,
}

impl Tally {
    pub(crate) fn count_received(&mut self, event: &Event) {
        let is_message = match event {
            Event::Message(_) => true,
            Event::Part(part) => part.last,
            _ => false,
        };
        self.messages_received = self.messages_received.saturating_add(is_message.into());
    }

    pub(crate) fn count_sent(&mut self) {
        self.messages_sent = self.messages_sent.saturating_add(1);
    }

    pub(crate) fn count_read(&mut self, bytes: usize) {
        self.bytes_received = add(self.bytes_received, bytes);
    }

    pub(crate) fn count_written(&mut self, bytes: usize, payload: usize) {
        self.bytes_sent = add(self.bytes_sent, bytes);
        self.payload_written += payload as u64;
    }
}

/// Nobody takes note of a connection without a server; its numbers stop at the end of their range.
fn add(sum: u32, bytes: usize) -> u32 {
    sum.saturating_add(bytes.try_into().unwrap_or(u32::MAX))
}
