use std::io::{self, BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use std::time::Duration;

use fullduplex_bench::peer::Peer;
use fullduplex_bench::process::Process;

use crate::traffic::Traffic;
use crate::workload::Workload;

/// A client in a separate process, which ends on drop.
pub(crate) struct Talker {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
}

impl Talker {
    /// Starts the client, and waits until it has connected to this server.
    pub(crate) fn start(peer: &Peer, server: SocketAddr, workload: &Workload) -> io::Result<Self> {
        let Workload { connections, burst, content, .. } = workload;
        let arguments =
            [&server as &dyn ToString, connections, burst, content].map(ToString::to_string);
        let mut command = peer.command()?;
        let command = command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn()?;
        let stdin = child.stdin.take().ok_or(io::ErrorKind::BrokenPipe)?;
        let stdout = BufReader::new(child.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?);
        let mut talker = Self { child, stdin, stdout };
        talker.read()?;
        Ok(talker)
    }

    /// Returns the process of the client.
    pub(crate) fn process(&self) -> Process {
        Process::of(&self.child)
    }

    /// Makes the client exchange messages for this time.
    pub(crate) fn run(&mut self, time: Duration) -> io::Result<Traffic> {
        writeln!(self.stdin, "{}", time.as_millis())?;
        let messages = self.read()?.parse().map_err(io::Error::other)?;
        Ok(Traffic { messages, ..Traffic::default() })
    }

    fn read(&mut self) -> io::Result<String> {
        let mut line = String::new();
        match self.stdout.read_line(&mut line)? {
            0 => Err(io::Error::other("the client gave up")),
            _ => Ok(line.trim().to_owned()),
        }
    }
}

impl Drop for Talker {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
