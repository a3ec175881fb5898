//! What one end writes in its turn.

use std::io::IoSlice;

use super::trace::Happening;
use super::turn::Turn;

/// How many pieces are written at once, at most.
const SLICES: usize = 4;

impl Turn<'_> {
    /// Ends the direction that the end writes.
    pub(super) fn shutdown(&mut self) {
        self.note(Happening::ShutDown);
        if self.outgoing.is_broken() {
            return self.end.connection.handle_write_failed();
        }
        self.outgoing.shutdown();
        self.end.connection.handle_shutdown();
    }

    /// Writes some of what waits.
    pub(super) fn write(&mut self) {
        if let Some(hold) = self.outgoing.maybe_hold(self.now, self.rng) {
            return self.note(Happening::Held(hold));
        }
        if self.outgoing.is_broken() {
            self.note(Happening::WriteFailed);
            return self.end.connection.handle_write_failed();
        }
        let bytes = self.some_output();
        let connection = &mut self.end.connection;
        let queued = connection.queued_bytes() - bytes.len() as u64;
        let payload = connection.handle_written(bytes.len());
        self.end.written += payload as u64;
        // The Close is what a closing end is on its way to; Pongs behind it lead nowhere.
        if !self.said.wire().is_closed() {
            self.end.note_progress(self.now);
        }
        self.said.pass(&bytes);
        self.trace.note_wire(&bytes);
        self.note(Happening::Wrote { bytes: bytes.len(), payload });
        self.judge_counts(queued);
    }

    /// What the transport takes of the output now.
    fn some_output(&mut self) -> Vec<u8> {
        let connection = &self.end.connection;
        let (mut shown, mut again) = ([IoSlice::new(&[]); SLICES], [IoSlice::new(&[]); SLICES]);
        let most = 1 + self.rng.index(SLICES);
        let count = connection.poll_output(&mut shown[..most]);
        assert!(count > 0, "output waits, and none is shown");
        assert_eq!(connection.poll_output(&mut again[..most]), count, "I12: polled twice");
        for (one, other) in shown.iter().zip(&again) {
            assert!(std::ptr::eq(&**one, &**other), "I12: polled twice");
        }
        let bytes = shown[..count].iter().map(|slice| slice.len() as u64).sum::<u64>();
        let queued = connection.queued_bytes();
        assert!(bytes == queued || bytes < queued && count == most, "I11: what waits is shown");
        self.outgoing.write(&shown[..count], self.rng)
    }

    /// I11: what waits is what was accepted and not written.
    fn judge_counts(&self, queued: u64) {
        let (connection, wire) = (&self.end.connection, self.said.wire());
        // Writing may have made room for a Pong.
        let pong = connection.queued_bytes() - queued;
        assert!(pong <= 131, "I11: {pong} bytes too many wait");
        assert_eq!(self.end.written, wire.data_bytes(), "I11: payload bytes written");
        assert_eq!(connection.is_flushed(), connection.queued_bytes() == 0, "I11: flushed");
        if connection.is_flushed() {
            assert!(!wire.is_within_frame(), "I1: half a frame");
            assert_eq!(self.end.written, self.said.accepted_bytes(), "I11: accepted and written");
            // RFC6455-5.5.2-1: behind the peer's last word no Pong is due.
            if !self.end.is_deaf() {
                self.said.assert_answered();
            }
        }
    }
}
