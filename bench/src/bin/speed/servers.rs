use std::collections::HashMap;
use std::io;

use fullduplex_bench::peer::{Peer, SERVERS};
use fullduplex_bench::process::Program;
use fullduplex_bench::server::Mode;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// The servers and two processors. Each server is started when it is first needed. One processor is
/// for the measured peers, of which only one is active at a time. The other processor is for the
/// other end.
#[derive(Debug)]
pub(crate) struct Servers {
    measured: usize,
    other: usize,
    servers: HashMap<(&'static str, Mode, Place), Program>,
}

/// Which processor a server runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Place {
    Measured,
    Other,
}

/// The server that all clients connect to.
const FOR_CLIENTS: Peer = SERVERS[0];

impl Servers {
    /// Moves this program to one of the processors.
    pub(crate) fn new() -> io::Result<Self> {
        let allowed = sched_getaffinity(None)?;
        let mut processors = (0..CpuSet::MAX_CPU).filter(|processor| allowed.is_set(*processor));
        let (Some(measured), Some(other)) = (processors.next(), processors.next()) else {
            return Err(io::Error::other("two processors are needed"));
        };
        run_on(other)?;
        Ok(Self { measured, other, servers: HashMap::new() })
    }

    /// Returns the server to measure.
    pub(crate) fn server(&mut self, peer: &Peer, mode: Mode) -> io::Result<&Program> {
        self.server_at(peer, mode, Place::Measured)
    }

    /// Returns the server for the clients to measure.
    pub(crate) fn server_for_clients(&mut self) -> io::Result<&Program> {
        self.server_at(&FOR_CLIENTS, Mode::Echo, Place::Other)
    }

    /// Starts programs on the processor that is measured.
    pub(crate) fn start_measured<T>(&self, start: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        run_on(self.measured)?;
        let started = start();
        run_on(self.other)?;
        started
    }

    fn server_at(&mut self, peer: &Peer, mode: Mode, place: Place) -> io::Result<&Program> {
        let key = (peer.program, mode, place);
        if !self.servers.contains_key(&key) {
            let server = match place {
                Place::Measured => self.start_measured(|| peer.start(mode))?,
                Place::Other => peer.start(mode)?,
            };
            self.servers.insert(key, server);
        }
        Ok(&self.servers[&key])
    }
}

/// Pins this thread, and the programs that it starts from now on, to one processor.
fn run_on(processor: usize) -> io::Result<()> {
    let mut set = CpuSet::new();
    set.set(processor);
    Ok(sched_setaffinity(None, &set)?)
}
