//! Writing by one end in its turn.

use std::io::IoSlice;

use super::trace::TraceEvent;
use super::turn::Turn;

/// The maximum number of slices in one write.
const SLICES: usize = 4;

impl Turn<'_> {
    /// Shuts the transport down for writing.
    pub(super) fn shutdown(&mut self) {
        self.note(TraceEvent::ShutDown);
        if self.outgoing.is_broken() {
            return self.end.connection.handle_write_failed();
        }
        self.outgoing.shutdown();
        self.end.connection.handle_shutdown();
    }

    /// Writes some of the output.
    pub(super) fn write(&mut self) {
        if let Some(hold) = self.outgoing.maybe_hold(self.now, self.rng) {
            return self.note(TraceEvent::Held(hold));
        }
        if self.outgoing.is_broken() {
            self.note(TraceEvent::WriteFailed);
            return self.end.connection.handle_write_failed();
        }
        let bytes = self.some_output();
        let connection = &mut self.end.connection;
        let queued = connection.queued_bytes() - bytes.len() as u64;
        let payload = connection.handle_written(bytes.len());
        self.end.written += payload as u64;
        // Writing up to the Close is progress of a closing end; writing Pongs after it is not.
        if !self.outgoing_flow.wire().is_closed() {
            self.end.note_progress(self.now);
        }
        self.outgoing_flow.pass(&bytes);
        self.trace.note_wire(&bytes);
        self.note(TraceEvent::Wrote { bytes: bytes.len(), payload });
        self.check_counts(queued);
    }

    /// Lets the transport take some of the output, and returns the bytes taken.
    fn some_output(&mut self) -> Vec<u8> {
        let connection = &self.end.connection;
        let (mut shown, mut again) = ([IoSlice::new(&[]); SLICES], [IoSlice::new(&[]); SLICES]);
        let most = 1 + self.rng.index(SLICES);
        let count = connection.poll_output(&mut shown[..most]);
        assert!(count > 0, "output is queued, but no slice is filled");
        assert_eq!(connection.poll_output(&mut again[..most]), count, "I12: polled twice");
        for (one, other) in shown.iter().zip(&again) {
            assert!(std::ptr::eq(&**one, &**other), "I12: polled twice");
        }
        let bytes = shown[..count].iter().map(|slice| slice.len() as u64).sum::<u64>();
        let queued = connection.queued_bytes();
        assert!(
            bytes == queued || bytes < queued && count == most,
            "I11: the slices hold the queued bytes"
        );
        self.outgoing.write(&shown[..count], self.rng)
    }

    /// I11: the queued bytes are those accepted and not written.
    fn check_counts(&self, queued: u64) {
        let (connection, wire) = (&self.end.connection, self.outgoing_flow.wire());
        // Writing may have queued a Pong that was held back.
        let pong = connection.queued_bytes() - queued;
        assert!(pong <= 131, "I11: {pong} bytes too many are queued");
        assert_eq!(self.end.written, wire.data_bytes(), "I11: payload bytes written");
        assert_eq!(connection.is_flushed(), connection.queued_bytes() == 0, "I11: flushed");
        if connection.is_flushed() {
            assert!(!wire.is_within_frame(), "I1: half a frame");
            assert_eq!(
                self.end.written,
                self.outgoing_flow.accepted_bytes(),
                "I11: accepted and written"
            );
            // RFC6455-5.5.2-1: no Pong is due after the peer's Close.
            if !self.end.discards_input() {
                self.outgoing_flow.assert_answered();
            }
        }
    }
}
