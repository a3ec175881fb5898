use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Instant;

use fullduplex_bench::client::{self, Offer};

use crate::replies::{Check, Replies};
use crate::script::{Burst, Script};

/// A connection of the load generator.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) stream: TcpStream,
    script: Script,
    /// The index of the current or next burst of the script.
    burst: usize,
    /// The number of bytes of this burst that were sent.
    sent: usize,
    /// When the burst was started.
    pub(crate) since: Instant,
    replies: Replies,
}

impl Connection {
    pub(crate) fn open(address: SocketAddr, offer: Offer, script: Script) -> io::Result<Self> {
        let stream = client::open(address, offer)?;
        stream.set_nonblocking(true)?;
        let (since, replies) = (Instant::now(), Replies::new(offer));
        Ok(Self { stream, script, burst: 0, sent: 0, since, replies })
    }

    /// Starts a burst. Returns whether all of it was sent.
    pub(crate) fn start(&mut self, now: Instant) -> io::Result<bool> {
        self.since = now;
        self.sent = 0;
        self.send()
    }

    /// Sends the rest of a burst. Returns whether all of it was sent.
    pub(crate) fn send(&mut self) -> io::Result<bool> {
        let frames = &self.script.bursts[self.burst].frames;
        while self.sent < frames.len() {
            match self.stream.write(&frames[self.sent..]) {
                Ok(count) => self.sent += count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }

    /// Reads once. Returns whether all replies of a burst have arrived.
    pub(crate) fn receive(&mut self, buffer: &mut [u8], check: Check) -> io::Result<bool> {
        let count = match self.stream.read(buffer) {
            Ok(0) => return Err(io::Error::other("the server closed a connection")),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
            Err(error) => return Err(error),
        };
        let Burst { replies, .. } = &self.script.bursts[self.burst];
        let is_complete = self.replies.take(&buffer[..count], replies, check)?;
        if is_complete {
            self.burst = (self.burst + 1) % self.script.bursts.len();
        }
        Ok(is_complete)
    }

    /// Returns the number of bytes received.
    pub(crate) fn received(&self) -> u64 {
        self.replies.bytes
    }
}
