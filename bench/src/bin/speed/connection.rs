use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Instant;

use fullduplex_bench::client::{self, Offer};

use crate::replies::{Check, Replies};
use crate::script::Script;

/// A connection of the generator.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) stream: TcpStream,
    script: Script,
    replies: Replies,
    /// How many bytes of the script have gone.
    sent: usize,
    /// When the last burst began.
    since: Instant,
}

impl Connection {
    pub(crate) fn open(address: SocketAddr, offer: Offer, script: Script) -> io::Result<Self> {
        let stream = client::open(address, offer)?;
        stream.set_nonblocking(true)?;
        Ok(Self { stream, script, replies: Replies::default(), sent: 0, since: Instant::now() })
    }

    /// Begins a burst, and returns whether all of it could go.
    pub(crate) fn start(&mut self, now: Instant) -> io::Result<bool> {
        self.since = now;
        self.sent = 0;
        self.send()
    }

    /// Sends what is left of a burst, and returns whether all of it could go.
    pub(crate) fn send(&mut self) -> io::Result<bool> {
        while let left @ [_, ..] = &self.script.frames[self.sent..] {
            match self.stream.write(left) {
                Ok(count) => self.sent += count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }

    /// Reads once, and returns when the burst began if it has come back.
    pub(crate) fn receive(
        &mut self,
        buffer: &mut [u8],
        check: Check,
    ) -> io::Result<Option<Instant>> {
        match self.stream.read(buffer) {
            Ok(0) => Err(io::Error::other("the server closed a connection")),
            Ok(count) => {
                let script = &self.script.replies;
                self.replies.take(&buffer[..count], script, check)?;
                Ok(self.replies.start_anew(script).then_some(self.since))
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// How many bytes have come.
    pub(crate) fn received(&self) -> u64 {
        self.replies.bytes
    }
}
