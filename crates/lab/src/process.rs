//! Child processes, and their figures in `/proc`.

use std::fs;
use std::io::{self, BufRead, BufReader};
use std::net::{SocketAddr, SocketAddrV4};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

/// How often a condition is checked.
const LOOK: Duration = Duration::from_millis(20);

/// How long a program may take to print its first line.
const START: Duration = Duration::from_secs(60);

/// How long a process may take to become idle.
const PATIENCE: Duration = Duration::from_secs(180);

/// A server process, which ends on drop.
#[derive(Debug)]
pub struct Program {
    child: Child,
    /// The address on which it listens.
    pub address: SocketAddr,
    /// The figures of the process.
    pub process: Process,
}

/// A process in `/proc`.
#[derive(Debug)]
pub struct Process {
    folder: String,
}

impl Program {
    /// Starts a server that prints its address, or `listening at` and its URL.
    ///
    /// # Errors
    /// The program cannot be started, or printed no address.
    pub fn start(command: &mut Command) -> io::Result<Self> {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let line = first_line(&mut child)?;
        let address = line.trim().trim_start_matches("listening at http://").trim_end_matches('/');
        let address = address.parse().map_err(io::Error::other)?;
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

/// Waits for the first line that a child prints. Ends the child if it prints none in time.
///
/// # Errors
/// The child's output is not piped, or it printed no line.
pub fn first_line(child: &mut Child) -> io::Result<String> {
    let stdout = child.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?;
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut line = String::new();
        let read = BufReader::new(stdout).read_line(&mut line).map(|_| line);
        sender.send(read).ok();
    });
    receiver.recv_timeout(START).unwrap_or_else(|_| {
        child.kill().ok();
        child.wait().ok();
        let error = format!("the program printed no line within {} s", START.as_secs());
        Err(io::Error::new(io::ErrorKind::TimedOut, error))
    })
}

/// Raises the limit of open files of this process as far as the system allows, for tests with many sockets.
#[cfg(unix)]
pub fn allow_many_files() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    // This fails, for example, on macOS if the limit exceeds a system constant. Then the old limit stays.
    setrlimit(Resource::Nofile, limit).ok();
}

/// Does nothing: this system does not count sockets as files.
#[cfg(not(unix))]
pub fn allow_many_files() {}

/// Returns whether a socket of this machine is connecting to this IPv4 address and has no answer yet (Linux).
///
/// # Panics
/// If the system does not list its sockets.
pub fn is_connecting_to(address: SocketAddrV4) -> bool {
    const SYN_SENT: &str = "02";
    let ip = u32::from_ne_bytes(address.ip().octets());
    let remote = format!("{ip:08X}:{:04X}", address.port());
    let sockets = fs::read_to_string("/proc/net/tcp").expect("Linux lists its sockets");
    sockets.lines().any(|line| {
        let mut fields = line.split_whitespace().skip(2);
        fields.next() == Some(&remote) && fields.next() == Some(SYN_SENT)
    })
}

/// Sends a signal, such as `INT`, to a child that has not been waited for.
///
/// # Panics
/// If there is no shell, or the child is gone.
pub fn signal(child: &Child, signal: &str) {
    // `kill` is a builtin of the shell, so it works even if the program `kill` is not installed.
    let kill = format!("kill -{signal} {}", child.id());
    let status = Command::new("sh").args(["-c", &kill]).status().expect("could not run sh");
    assert!(status.success(), "could not send SIG{signal}: {status}");
}

impl Process {
    /// Returns the figures of a child process.
    pub fn of(child: &Child) -> Self {
        Self { folder: format!("/proc/{}", child.id()) }
    }

    /// Returns the figures of this process.
    pub fn own() -> Self {
        Self { folder: "/proc/self".into() }
    }

    /// Returns the resident memory in bytes.
    ///
    /// # Errors
    /// The process has ended.
    pub fn memory(&self) -> io::Result<u64> {
        self.bytes("smaps_rollup", "Rss:")
    }

    /// Returns the resident memory of heap and stacks in bytes. Pages of the program file are left out,
    /// because the system loads and drops them at any time.
    ///
    /// # Errors
    /// The process has ended.
    pub fn anonymous_memory(&self) -> io::Result<u64> {
        self.bytes("smaps_rollup", "Anonymous:")
    }

    /// Returns the peak of the resident memory in bytes.
    ///
    /// # Errors
    /// The process has ended.
    pub fn peak_memory(&self) -> io::Result<u64> {
        self.bytes("status", "VmHWM:")
    }

    /// Returns the number of open files, including sockets.
    ///
    /// # Errors
    /// The process has ended.
    pub fn open_files(&self) -> io::Result<usize> {
        Ok(fs::read_dir(self.file("fd"))?.count())
    }

    /// Returns the CPU time of its running threads.
    ///
    /// # Errors
    /// The process has ended.
    pub fn cpu_time(&self) -> io::Result<Duration> {
        let mut sum = 0;
        for thread in fs::read_dir(self.file("task"))? {
            let times = fs::read_to_string(thread?.path().join("schedstat"))?;
            let running = times.split(' ').next().and_then(|running| running.parse::<u64>().ok());
            sum += running.ok_or(io::ErrorKind::InvalidData)?;
        }
        Ok(Duration::from_nanos(sum))
    }

    /// Waits until the process has used no CPU for this long.
    ///
    /// # Errors
    /// The process has ended, or does not become idle.
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

    /// Returns the value in bytes of a line in kilobytes.
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
