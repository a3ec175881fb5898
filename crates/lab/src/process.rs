//! Programs in processes of their own, and what the system tells about them.

use std::fs;
use std::io::{self, BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// How often is looked whether something has happened.
const LOOK: Duration = Duration::from_millis(20);

/// How long a process may take to become quiet.
const PATIENCE: Duration = Duration::from_secs(180);

/// A server in a process of its own, which ends with this value.
#[derive(Debug)]
pub struct Program {
    child: Child,
    /// Where it listens.
    pub address: SocketAddr,
    /// What there is to know about it.
    pub process: Process,
}

/// A process, as `/proc` shows it.
#[derive(Debug)]
pub struct Process {
    folder: String,
}

impl Program {
    /// Starts a server, which prints where it listens.
    ///
    /// # Errors
    /// The program is not there, or did not say where it listens.
    pub fn start(command: &mut Command) -> io::Result<Self> {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let stdout = child.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?;
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line)?;
        let address = line.trim().parse().map_err(io::Error::other)?;
        let process = Process::of(&child);
        Ok(Self { child, address, process })
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Raises this process's limit of open files as far as the system allows, for tests with many sockets.
#[cfg(unix)]
pub fn allow_many_files() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    // Where it is refused, as on macOS above a constant of the system, the old limit stays.
    setrlimit(Resource::Nofile, limit).ok();
}

/// Does nothing: sockets have no such limit here.
#[cfg(not(unix))]
pub fn allow_many_files() {}

/// Sends a signal, such as `INT`, to a child that has not been waited for.
///
/// # Panics
/// If there is no shell, or the child is gone.
pub fn signal(child: &Child, signal: &str) {
    // The shell's own `kill`: not every system has the program.
    let kill = format!("kill -{signal} {}", child.id());
    let status = Command::new("sh").args(["-c", &kill]).status().expect("could not run sh");
    assert!(status.success(), "could not send SIG{signal}: {status}");
}

impl Process {
    /// That of a child.
    pub fn of(child: &Child) -> Self {
        Self { folder: format!("/proc/{}", child.id()) }
    }

    /// The one that asks.
    pub fn own() -> Self {
        Self { folder: "/proc/self".into() }
    }

    /// Its resident memory in bytes.
    ///
    /// # Errors
    /// The process is gone.
    pub fn memory(&self) -> io::Result<u64> {
        self.bytes("smaps_rollup", "Rss:")
    }

    /// That part of it which is heap and stacks. Fallback of the program's file are left out, as the system
    /// reads them in and gives them up as it likes.
    ///
    /// # Errors
    /// The process is gone.
    pub fn anonymous_memory(&self) -> io::Result<u64> {
        self.bytes("smaps_rollup", "Anonymous:")
    }

    /// The most resident memory it ever had, in bytes.
    ///
    /// # Errors
    /// The process is gone.
    pub fn peak_memory(&self) -> io::Result<u64> {
        self.bytes("status", "VmHWM:")
    }

    /// How many files it has open, sockets among them.
    ///
    /// # Errors
    /// The process is gone.
    pub fn open_files(&self) -> io::Result<usize> {
        Ok(fs::read_dir(self.file("fd"))?.count())
    }

    /// How long its threads have run, those that have ended left out.
    ///
    /// # Errors
    /// The process is gone.
    pub fn cpu_time(&self) -> io::Result<Duration> {
        let mut sum = 0;
        for thread in fs::read_dir(self.file("task"))? {
            let times = fs::read_to_string(thread?.path().join("schedstat"))?;
            let running = times.split(' ').next().and_then(|running| running.parse::<u64>().ok());
            sum += running.ok_or(io::ErrorKind::InvalidData)?;
        }
        Ok(Duration::from_nanos(sum))
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
                return Err(io::Error::other("the process does not become quiet"));
            }
            thread::sleep(LOOK);
            let now = self.cpu_time()?;
            if now != last {
                (last, since) = (now, Instant::now());
            }
        }
        Ok(())
    }

    /// A line of a file, of which the unit is the kilobyte.
    fn bytes(&self, file: &str, label: &str) -> io::Result<u64> {
        let text = fs::read_to_string(self.file(file))?;
        let line = text.lines().find_map(|line| line.strip_prefix(label));
        let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok());
        Ok(kilobytes.ok_or(io::ErrorKind::InvalidData)? * 1024)
    }

    fn file(&self, name: &str) -> String {
        format!("{}/{name}", self.folder)
    }
}
