//! The command as its users meet it: a process with arguments, a pipe and an exit code.
#![allow(dead_code, reason = "not every test needs all of it")]

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Output, Stdio};

pub(crate) fn fdx(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fdx"));
    command.args(arguments).env_remove("CARGO");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Runs the command with this input to its end.
pub(crate) fn pipe(arguments: &[&str], input: &str) -> Output {
    let mut process = fdx(arguments).spawn().unwrap();
    let mut stdin = process.stdin.take().unwrap();
    let input = input.to_owned();
    // A command that ends early does not read on, which is its good right.
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

/// `fdx listen --echo`, as long as it lives.
pub(crate) struct Listening {
    pub(crate) process: Child,
    pub(crate) url: String,
}

impl Listening {
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let mut process =
            fdx(&["listen", "127.0.0.1:0", "--echo"]).args(arguments).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let url = line.trim().strip_prefix("listening at ").unwrap().to_owned();
        Self { process, url }
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

pub(crate) async fn run_blocking(run: impl FnOnce() -> Output + Send + 'static) -> Output {
    tokio::task::spawn_blocking(run).await.unwrap()
}
