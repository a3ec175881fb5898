use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use fullduplex_bench::client::Offer;
use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::time::Timespec;

use crate::connection::Connection;
use crate::replies::Check;
use crate::script::Script;
use crate::traffic::Traffic;
use crate::workload::{Action, Workload};

/// What sends the bursts of a workload.
pub(crate) trait Load {
    /// Sends bursts one after another, until the time is over and all replies have arrived. Sends
    /// at least one burst on each connection, or one from one connection to all.
    fn run(&mut self, time: Duration, check: Check) -> io::Result<Traffic>;
}

/// Sends the bursts of a workload on all connections, from one thread.
pub(crate) struct Generator {
    workload: Workload,
    epoll: OwnedFd,
    connections: Vec<Connection>,
    buffer: Vec<u8>,
    events: Vec<Event>,
}

/// The number of bytes that are read at once.
pub(crate) const BUFFER: usize = 256 << 10;
/// A server that does not answer within this time has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);
const AT_ONCE: Timespec = Timespec { tv_sec: 0, tv_nsec: 0 };

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
        Ok(Self { workload: *workload, epoll, connections, buffer: vec![0; BUFFER], events })
    }

    /// Starts a burst on each connection that has one. Returns the number of connections that wait
    /// for replies.
    fn start_all(&mut self, now: Instant) -> io::Result<usize> {
        let senders = match self.workload.action {
            Action::Broadcast => 1,
            _ => self.connections.len(),
        };
        (0..senders).try_for_each(|number| self.start(number, now))?;
        Ok(self.connections.len())
    }

    fn start(&mut self, number: usize, now: Instant) -> io::Result<()> {
        if !self.connections[number].start(now)? {
            self.listen(number, EventFlags::IN | EventFlags::OUT)?;
        }
        Ok(())
    }

    /// Does the I/O that a connection is ready for. Returns whether all replies of its burst have arrived.
    fn proceed(&mut self, number: usize, flags: EventFlags, check: Check) -> io::Result<bool> {
        if flags.contains(EventFlags::OUT) && self.connections[number].send()? {
            self.listen(number, EventFlags::IN)?;
        }
        // With context takeover, a message may depend on earlier ones, so one connection inflates all of its
        // messages.
        let is_witness = number == 0 && self.workload.offer != Offer::Nothing;
        let check = if is_witness { Check::All } else { check };
        self.connections[number].receive(&mut self.buffer, check)
    }

    fn listen(&self, number: usize, flags: EventFlags) -> io::Result<()> {
        let data = EventData::new_u64(number as u64);
        Ok(epoll::modify(&self.epoll, &self.connections[number].stream, data, flags)?)
    }

    /// Waits until a connection is ready. Returns the time that it waited.
    ///
    /// Polls without sleeping. If this process slept, the server would spend time on waking it, and
    /// a slower server would have to do so more often.
    fn wait(&mut self) -> io::Result<Duration> {
        self.events.clear();
        let start = Instant::now();
        loop {
            let count = epoll::wait(&self.epoll, spare_capacity(&mut self.events), Some(&AT_ONCE))?;
            let waited = start.elapsed();
            match count {
                0 if waited > PATIENCE => {
                    return Err(io::Error::other("the server does not answer"));
                }
                0 => {}
                _ => return Ok(waited),
            }
        }
    }

    fn received(&self) -> u64 {
        self.connections.iter().map(Connection::received).sum()
    }
}

impl Load for Generator {
    fn run(&mut self, time: Duration, check: Check) -> io::Result<Traffic> {
        let start = Instant::now();
        let received = self.received();
        let mut traffic = Traffic::default();
        let mut active = self.start_all(start)?;
        while active > 0 {
            traffic.waited += self.wait()?;
            let now = Instant::now();
            for index in 0..self.events.len() {
                let Event { data, flags, .. } = self.events[index];
                let number = data.u64() as usize;
                if !self.proceed(number, flags, check)? {
                    continue;
                }
                traffic.messages += self.workload.burst as u64;
                active -= 1;
                let is_last = active == 0;
                let goes_on = now - start < time;
                match self.workload.action {
                    Action::Broadcast if is_last => {
                        traffic.round_trips.push(now - self.connections[0].since);
                        active = if goes_on { self.start_all(now)? } else { 0 };
                    }
                    Action::Broadcast => {}
                    _ => {
                        traffic.round_trips.push(now - self.connections[number].since);
                        if goes_on {
                            self.start(number, now)?;
                            active += 1;
                        }
                    }
                }
            }
        }
        traffic.bytes = self.received() - received;
        Ok(traffic)
    }
}
