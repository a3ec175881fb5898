use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::time::Timespec;

use crate::connection::Connection;
use crate::replies::Check;
use crate::script::Script;
use crate::workload::Workload;

/// Sends the bursts of a workload on all of its connections, from one thread.
pub(crate) struct Generator {
    epoll: OwnedFd,
    connections: Vec<Connection>,
    /// How many messages there are in a burst.
    burst: usize,
    buffer: Vec<u8>,
    events: Vec<Event>,
}

/// What came back.
#[derive(Debug, Default)]
pub(crate) struct Traffic {
    pub(crate) messages: u64,
    pub(crate) bytes: u64,
    /// How long each burst took.
    pub(crate) round_trips: Vec<Duration>,
}

const BUFFER: usize = 256 << 10;
const PATIENCE: Timespec = Timespec { tv_sec: 30, tv_nsec: 0 };

impl Generator {
    /// Opens the connections.
    pub(crate) fn connect(
        address: SocketAddr,
        workload: &Workload,
        is_raw: bool,
    ) -> io::Result<Self> {
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        let mut connections = Vec::new();
        for number in 0..workload.connections {
            let script = Script::new(workload, number, is_raw);
            let connection = Connection::open(address, workload.offer, script)?;
            let data = EventData::new_u64(number as u64);
            epoll::add(&epoll, &connection.stream, data, EventFlags::IN)?;
            connections.push(connection);
        }
        let events = Vec::with_capacity(connections.len());
        Ok(Self { epoll, connections, burst: workload.burst, buffer: vec![0; BUFFER], events })
    }

    /// Bursts one after the other, on each connection, until so much time is over and all has come back.
    /// There is at least one.
    pub(crate) fn run(&mut self, time: Duration, check: Check) -> io::Result<Traffic> {
        let start = Instant::now();
        let end = start + time;
        let received = self.received();
        let mut traffic = Traffic::default();
        for number in 0..self.connections.len() {
            self.start(number, start)?;
        }
        let mut active = self.connections.len();
        while active > 0 {
            self.wait()?;
            let now = Instant::now();
            for index in 0..self.events.len() {
                let Event { data, flags, .. } = self.events[index];
                let number = data.u64() as usize;
                if flags.contains(EventFlags::OUT) && self.connections[number].send()? {
                    self.listen(number, EventFlags::IN)?;
                }
                let Some(since) = self.connections[number].receive(&mut self.buffer, check)? else {
                    continue;
                };
                traffic.messages += self.burst as u64;
                traffic.round_trips.push(now - since);
                if now < end {
                    self.start(number, now)?;
                } else {
                    active -= 1;
                }
            }
        }
        traffic.bytes = self.received() - received;
        Ok(traffic)
    }

    fn start(&mut self, number: usize, now: Instant) -> io::Result<()> {
        if !self.connections[number].start(now)? {
            self.listen(number, EventFlags::IN | EventFlags::OUT)?;
        }
        Ok(())
    }

    fn listen(&self, number: usize, flags: EventFlags) -> io::Result<()> {
        let data = EventData::new_u64(number as u64);
        Ok(epoll::modify(&self.epoll, &self.connections[number].stream, data, flags)?)
    }

    fn wait(&mut self) -> io::Result<()> {
        self.events.clear();
        self.events.reserve(self.connections.len());
        match epoll::wait(&self.epoll, spare_capacity(&mut self.events), Some(&PATIENCE))? {
            0 => Err(io::Error::other("the server does not answer")),
            _ => Ok(()),
        }
    }

    fn received(&self) -> u64 {
        self.connections.iter().map(Connection::received).sum()
    }
}
