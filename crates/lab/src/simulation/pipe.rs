//! One direction of the simulated transport.

use std::io::IoSlice;
use std::time::{Duration, Instant};

use bytes::{Buf, BytesMut};

use crate::rng::Rng;

/// How a pipe carries bytes.
#[derive(Debug)]
pub(super) struct Pace {
    /// The maximum number of bytes that one write or read moves.
    pub(super) chunk: usize,
    /// The maximum number of bytes in flight.
    pub(super) capacity: usize,
    /// The number of pauses that are left, and the maximum length of a pause.
    pub(super) holds: u32,
    pub(super) longest_hold: Duration,
}

/// Bytes in flight from one end to the other.
#[derive(Debug)]
pub(super) struct Pipe {
    pace: Pace,
    in_flight: BytesMut,
    held_until: Option<Instant>,
    /// The number of bytes written, and the number after which a fault is due.
    taken: u64,
    fault_at: u64,
    writer: Writer,
    reader: Reader,
}

#[derive(Debug, PartialEq, Eq)]
enum Writer {
    Open,
    /// The writer has shut this direction down. The end arrives after the bytes in flight.
    ShutDown,
    /// The transport is broken for writing. The end arrives after the bytes in flight.
    Cut,
}

#[derive(Debug, PartialEq, Eq)]
enum Reader {
    Open,
    /// The reader is gone. Written bytes are lost, and writing does not fail.
    Gone,
}

/// The result of a read.
#[derive(Debug)]
pub(super) enum Read {
    Bytes(usize),
    End,
}

impl Pipe {
    pub(super) fn new(pace: Pace) -> Self {
        Self {
            pace,
            in_flight: BytesMut::new(),
            held_until: None,
            taken: 0,
            fault_at: u64::MAX,
            writer: Writer::Open,
            reader: Reader::Open,
        }
    }

    /// Accepts only the first `count` bytes until [`Pipe::release_fault`].
    pub(super) fn set_fault(&mut self, count: u64) {
        self.fault_at = count;
    }

    /// Returns whether the fault is due. Returns true only once.
    pub(super) fn release_fault(&mut self) -> bool {
        let is_due = self.taken >= self.fault_at;
        if is_due {
            self.fault_at = u64::MAX;
        }
        is_due
    }

    pub(super) fn held_until(&self) -> Option<Instant> {
        self.held_until
    }

    /// Sometimes begins a pause, and returns its length.
    pub(super) fn maybe_hold(&mut self, now: Instant, rng: &mut Rng) -> Option<Duration> {
        if self.pace.holds == 0 || !rng.one_in(32) {
            return None;
        }
        self.pace.holds -= 1;
        let longest = self.pace.longest_hold.as_micros() as u64;
        let hold = Duration::from_micros(1 + rng.log_uniform(longest));
        self.held_until = Some(now + hold);
        Some(hold)
    }

    /// Ends a pause that is over.
    pub(super) fn release(&mut self, now: Instant) {
        self.held_until = self.held_until.filter(|&until| until > now);
    }

    pub(super) fn is_writable(&self) -> bool {
        let has_room = self.in_flight.len() < self.pace.capacity;
        self.held_until.is_none() && (has_room || self.writer == Writer::Cut)
    }

    pub(super) fn is_readable(&self) -> bool {
        let has_more = !self.in_flight.is_empty() || self.writer != Writer::Open;
        self.held_until.is_none() && has_more && self.reader == Reader::Open
    }

    /// Returns whether writing and shutting down fail.
    pub(super) fn is_broken(&self) -> bool {
        self.writer == Writer::Cut
    }

    /// Takes some bytes from the writer, at least one, and returns them.
    pub(super) fn write(&mut self, slices: &[IoSlice<'_>], rng: &mut Rng) -> Vec<u8> {
        let room = (self.pace.capacity - self.in_flight.len()) as u64;
        let room = room.min(self.fault_at - self.taken).min(self.some(rng) as u64) as usize;
        let mut bytes = Vec::new();
        for slice in slices {
            let left = room - bytes.len();
            bytes.extend_from_slice(&slice[..left.min(slice.len())]);
        }
        self.taken += bytes.len() as u64;
        if self.reader == Reader::Open {
            self.in_flight.extend_from_slice(&bytes);
        }
        bytes
    }

    /// Puts bytes in flight that the writer did not write, if there is room. Returns whether there was room.
    pub(super) fn inject(&mut self, bytes: &[u8]) -> bool {
        let has_room = self.in_flight.len() < self.pace.capacity;
        let is_open = self.writer == Writer::Open && self.reader == Reader::Open;
        if has_room && is_open {
            self.in_flight.extend_from_slice(bytes);
        }
        has_room && is_open
    }

    /// Moves some bytes to the reader.
    pub(super) fn read(&mut self, input: &mut BytesMut, rng: &mut Rng) -> Read {
        let count = self.some(rng).min(self.in_flight.len());
        if count == 0 {
            return Read::End;
        }
        input.extend_from_slice(&self.in_flight[..count]);
        self.in_flight.advance(count);
        Read::Bytes(count)
    }

    /// Shuts this direction down, as the writer does.
    pub(super) fn shutdown(&mut self) {
        if self.writer == Writer::Open {
            self.writer = Writer::ShutDown;
        }
    }

    /// Removes the reader. Bytes that it has not read are lost. Everything that is written later is lost too,
    /// including the end.
    pub(super) fn lose_reader(&mut self) {
        self.in_flight.clear();
        self.reader = Reader::Gone;
    }

    /// Breaks this direction after the bytes in flight.
    pub(super) fn cut(&mut self) {
        self.writer = Writer::Cut;
        self.reader = Reader::Open;
    }

    /// Breaks this direction and loses the bytes in flight.
    pub(super) fn reset(&mut self) {
        self.in_flight.clear();
        self.held_until = None;
        self.cut();
    }

    fn some(&self, rng: &mut Rng) -> usize {
        1 + rng.log_uniform(self.pace.chunk as u64 - 1) as usize
    }
}
