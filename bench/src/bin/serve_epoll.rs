//! Echoes bytes without a runtime, to measure what the system itself costs.

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::fd::{AsRawFd, OwnedFd};

use fullduplex_bench::server::{RAW_BUFFER, announce, end_with_stdin};
use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};

const EVENTS: usize = 1024;

struct Connection {
    stream: TcpStream,
    /// Data that could not be written yet.
    unsent: Vec<u8>,
}

fn main() -> io::Result<()> {
    end_with_stdin();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    announce(listener.local_addr()?);
    let epoll = epoll::create(CreateFlags::CLOEXEC)?;
    let at_listener = listener.as_raw_fd() as u64;
    epoll::add(&epoll, &listener, EventData::new_u64(at_listener), EventFlags::IN)?;

    let mut connections = HashMap::new();
    // One buffer for all connections.
    let mut buffer = vec![0; RAW_BUFFER];
    let mut events = Vec::<Event>::with_capacity(EVENTS);
    loop {
        epoll::wait(&epoll, spare_capacity(&mut events), None)?;
        for event in events.drain(..) {
            let key = event.data.u64();
            if key == at_listener {
                let connection = accept(&listener, &epoll)?;
                connections.insert(connection.stream.as_raw_fd() as u64, connection);
            } else if let Some(connection) = connections.get_mut(&key)
                && !connection.echo(&epoll, &mut buffer).unwrap_or(false)
            {
                connections.remove(&key);
            }
        }
    }
}

fn accept(listener: &TcpListener, epoll: &OwnedFd) -> io::Result<Connection> {
    let (stream, _) = listener.accept()?;
    stream.set_nodelay(true)?;
    stream.set_nonblocking(true)?;
    let data = EventData::new_u64(stream.as_raw_fd() as u64);
    epoll::add(epoll, &stream, data, EventFlags::IN)?;
    Ok(Connection { stream, unsent: Vec::new() })
}

impl Connection {
    /// Writes pending data, or else reads and writes once. Returns whether there may be more to do.
    fn echo(&mut self, epoll: &OwnedFd, buffer: &mut [u8]) -> io::Result<bool> {
        if !self.unsent.is_empty() {
            let count = self.write(&self.unsent)?;
            self.unsent.drain(..count);
            if self.unsent.is_empty() {
                self.listen(epoll, EventFlags::IN)?;
            }
            return Ok(true);
        }
        let count = match self.stream.read(buffer) {
            Ok(0) => return Ok(false),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(true),
            Err(error) => return Err(error),
        };
        let written = self.write(&buffer[..count])?;
        if written < count {
            self.unsent.extend_from_slice(&buffer[written..count]);
            // Stops reading until the pending data is written.
            self.listen(epoll, EventFlags::OUT)?;
        }
        Ok(true)
    }

    fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        match (&self.stream).write(bytes) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(0),
            outcome => outcome,
        }
    }

    fn listen(&self, epoll: &OwnedFd, flags: EventFlags) -> io::Result<()> {
        let data = EventData::new_u64(self.stream.as_raw_fd() as u64);
        Ok(epoll::modify(epoll, &self.stream, data, flags)?)
    }
}
