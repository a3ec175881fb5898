use std::fs;
use std::io::{self, BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::peer::Peer;
use crate::server::DEFLATE;

/// How often is looked whether something has happened.
const LOOK: Duration = Duration::from_millis(20);

/// How long a server may take to become quiet.
const PATIENCE: Duration = Duration::from_secs(180);

/// A server that runs in a process of its own, which ends with this value.
#[derive(Debug)]
pub struct Process {
    child: Child,
    /// Where it listens.
    pub address: SocketAddr,
}

impl Process {
    /// Starts a server. Its program lies beside that of the caller.
    ///
    /// # Errors
    /// The program is not there, or did not say where it listens.
    pub fn start(peer: &Peer, deflate: bool) -> io::Result<Self> {
        let program = std::env::current_exe()?.with_file_name(peer.program);
        let mut command = Command::new(program);
        if deflate {
            command.arg(DEFLATE);
        }
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let stdout = child.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?;
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line)?;
        let address = line.trim().parse().map_err(io::Error::other)?;
        Ok(Self { child, address })
    }

    /// Its resident memory in bytes: heap and stacks. Pages of the program's file are left out, as the
    /// system reads them in and gives them up as it likes.
    ///
    /// # Errors
    /// The process is gone.
    pub fn memory(&self) -> io::Result<u64> {
        let rollup = fs::read_to_string(self.proc("smaps_rollup"))?;
        let line = rollup.lines().find_map(|line| line.strip_prefix("Anonymous:"));
        let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok());
        Ok(kilobytes.ok_or(io::ErrorKind::InvalidData)? * 1024)
    }

    /// How many files it has open, sockets among them.
    ///
    /// # Errors
    /// The process is gone.
    pub fn open_files(&self) -> io::Result<usize> {
        Ok(fs::read_dir(self.proc("fd"))?.count())
    }

    /// Waits until the process has not run for so long.
    ///
    /// # Errors
    /// It is gone, or always busy.
    pub fn wait_until_quiet(&self, quiet: Duration) -> io::Result<()> {
        let start = Instant::now();
        let (mut last, mut since) = (self.cpu_time()?, start);
        while since.elapsed() < quiet {
            if start.elapsed() > PATIENCE {
                return Err(io::Error::other("the server does not become quiet"));
            }
            thread::sleep(LOOK);
            let now = self.cpu_time()?;
            if now != last {
                (last, since) = (now, Instant::now());
            }
        }
        Ok(())
    }

    /// How long its threads have run, in nanoseconds.
    fn cpu_time(&self) -> io::Result<u64> {
        let mut sum = 0;
        for thread in fs::read_dir(self.proc("task"))? {
            let times = fs::read_to_string(thread?.path().join("schedstat"))?;
            let running = times.split(' ').next().and_then(|running| running.parse::<u64>().ok());
            sum += running.ok_or(io::ErrorKind::InvalidData)?;
        }
        Ok(sum)
    }

    fn proc(&self, file: &str) -> String {
        format!("/proc/{}/{file}", self.child.id())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
