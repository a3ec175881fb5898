/// One direction of the transport.
#[derive(Debug, Default)]
pub(crate) struct Pipe {
    /// All that was ever written.
    pub(crate) wire: Vec<u8>,
    read: usize,
    /// Nothing more is written.
    pub(crate) has_ended: bool,
    /// Nothing more can be written.
    pub(crate) is_broken: bool,
}

impl Pipe {
    /// The next bytes that arrive.
    pub(crate) fn read(&mut self, count: usize) -> &[u8] {
        let unread = &self.wire[self.read..];
        let arrived = &unread[..unread.len().min(count)];
        self.read += arrived.len();
        arrived
    }

    /// Whether all that was written has arrived.
    pub(crate) fn is_empty(&self) -> bool {
        self.read == self.wire.len()
    }

    /// Breaks, and loses what is on its way, or not.
    pub(crate) fn cut(&mut self, lossy: bool) {
        (self.has_ended, self.is_broken) = (true, true);
        if lossy {
            self.read = self.wire.len();
        }
    }
}
