/// One direction of the transport.
#[derive(Debug, Default)]
pub(crate) struct Pipe {
    /// Everything that was written.
    pub(crate) wire: Vec<u8>,
    read: usize,
    /// Whether the writer has shut down, or the transport is broken.
    pub(crate) has_ended: bool,
    /// Whether the transport is broken.
    pub(crate) is_broken: bool,
}

impl Pipe {
    /// Returns the next bytes that arrive.
    pub(crate) fn read(&mut self, count: usize) -> &[u8] {
        let unread = &self.wire[self.read..];
        let arrived = &unread[..unread.len().min(count)];
        self.read += arrived.len();
        arrived
    }

    /// Returns whether everything written has arrived.
    pub(crate) fn is_empty(&self) -> bool {
        self.read == self.wire.len()
    }

    /// Breaks the transport. If `lossy` is true, bytes in flight are lost.
    pub(crate) fn cut(&mut self, lossy: bool) {
        (self.has_ended, self.is_broken) = (true, true);
        if lossy {
            self.read = self.wire.len();
        }
    }
}
