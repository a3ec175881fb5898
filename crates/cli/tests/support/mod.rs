//! Runs the command as a process.
#![allow(dead_code, reason = "not every test needs all of it")]

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::Duration;

use serde_json::Value;

/// How long a process may take to print the next event.
const SILENCE: Duration = Duration::from_secs(30);

pub(crate) fn fdx(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fdx"));
    command.args(arguments).env_remove("CARGO");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Runs the command with this input, and waits for its end.
pub(crate) fn pipe(arguments: &[&str], input: &str) -> Output {
    let mut process = fdx(arguments).spawn().unwrap();
    let mut stdin = process.stdin.take().unwrap();
    let input = input.to_owned();
    // A command that ends early does not read all input.
    let writer = std::thread::spawn(move || drop(stdin.write_all(input.as_bytes())));
    let output = process.wait_with_output().unwrap();
    writer.join().unwrap();
    output
}

pub(crate) fn stdout(output: &Output) -> &str {
    str::from_utf8(&output.stdout).unwrap()
}

pub(crate) fn stderr(output: &Output) -> &str {
    str::from_utf8(&output.stderr).unwrap()
}

/// `fdx listen`. The process ends when this value is dropped.
pub(crate) struct Listening {
    pub(crate) process: Child,
    pub(crate) url: String,
}

impl Listening {
    /// Starts an echo server.
    pub(crate) fn start(arguments: &[&str]) -> Self {
        Self::start_mode("--echo", arguments)
    }

    /// Starts a server that prints its URL on stdout.
    pub(crate) fn start_mode(mode: &str, arguments: &[&str]) -> Self {
        Self::at("127.0.0.1:0", &[&[mode], arguments].concat())
    }

    /// Starts a server at this address.
    pub(crate) fn at(address: &str, arguments: &[&str]) -> Self {
        let mut process = fdx(&["listen", address]).args(arguments).spawn().unwrap();
        let mut stdout = process.stdout.take().unwrap();
        let url = announced(&mut stdout);
        process.stdout = Some(stdout);
        Self { process, url }
    }

    /// Returns the events that it prints with `--ndjson` from now on.
    pub(crate) fn events(&mut self) -> impl Iterator<Item = Value> + use<> {
        events(self.process.stdout.take().unwrap())
    }

    /// Starts a server that prints messages, and its URL on stderr.
    pub(crate) fn piping(arguments: &[&str]) -> Self {
        let mut process = fdx(&["listen", "127.0.0.1:0"]).args(arguments).spawn().unwrap();
        let mut stderr = process.stderr.take().unwrap();
        let url = announced(&mut stderr);
        process.stderr = Some(stderr);
        Self { process, url }
    }

    /// Interrupts the server, as Ctrl-C does.
    #[cfg(unix)]
    pub(crate) fn interrupt(&mut self) {
        fullduplex_lab::process::signal(&self.process, "INT");
    }
}

/// Returns the events that a process prints with `--ndjson`. Panics if it prints nothing for 30 seconds.
pub(crate) fn events(stdout: ChildStdout) -> impl Iterator<Item = Value> + Send {
    let (printed, lines) = sync_channel(0);
    std::thread::spawn(move || {
        for line in BufReader::new(stdout).lines() {
            if printed.send(line.unwrap()).is_err() {
                return;
            }
        }
    });
    std::iter::from_fn(move || match lines.recv_timeout(SILENCE) {
        Ok(line) => Some(serde_json::from_str(&line).unwrap()),
        Err(RecvTimeoutError::Disconnected) => None,
        Err(RecvTimeoutError::Timeout) => panic!("the process printed no event for {SILENCE:?}"),
    })
}

/// Returns the URL in the first line that a server prints. Reads nothing after the line.
fn announced(output: &mut impl Read) -> String {
    let mut line = Vec::new();
    while line.last() != Some(&b'\n') {
        let mut byte = [0];
        output.read_exact(&mut byte).unwrap();
        line.push(byte[0]);
    }
    let line = String::from_utf8(line).unwrap();
    match line.strip_prefix("listening at ") {
        Some(url) => url.trim().to_owned(),
        None => {
            let event: Value = serde_json::from_str(&line).unwrap();
            event["url"].as_str().unwrap().to_owned()
        }
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().unwrap();
    }
}

pub(crate) async fn run_blocking(run: impl FnOnce() -> Output + Send + 'static) -> Output {
    tokio::task::spawn_blocking(run).await.unwrap()
}
