//! Load tests of our server: `load http2 SOCKETS`, `load churn CYCLES`, `load push CLIENTS SECONDS`, `load crowd SECONDS`
//! and `load chat SECONDS CLIENTS`. Each starts a server as a child process and measures it from outside.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command prints its results")]

mod chat;
mod churn;
mod crowd;
mod http2;
mod push;
mod raw;
mod serve;

use std::error::Error;
use std::future::Future;
use std::io;
use std::process::{Command, ExitCode};
use std::time::Duration;

use fullduplex_lab::process::Program;

type Failure = Box<dyn Error + Send + Sync>;

const USAGE: &str = "usage: load http2 SOCKETS, load churn CYCLES, load push CLIENTS SECONDS, load crowd SECONDS, or load chat SECONDS CLIENTS";

fn main() -> ExitCode {
    match load() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("load: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn load() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let task = arguments.next().unwrap_or_default();
    if task == "serve-push" {
        let mode = arguments.next().as_deref().and_then(push::serve::ServeMode::of).ok_or(USAGE)?;
        let seconds = arguments.next().ok_or(USAGE)?.parse()?;
        return Ok(push::serve::serve(mode, Duration::from_secs(seconds))?);
    }
    if task == "serve-http2" {
        return http2::serve(arguments.next().ok_or(USAGE)?.into());
    }
    if task == "client-http2" {
        return http2::client(&arguments.collect::<Vec<_>>());
    }
    let numbers = arguments.map(|text| text.parse()).collect::<Result<Vec<u32>, _>>()?;
    match (task.as_str(), numbers.as_slice()) {
        ("serve", []) => Ok(serve::serve()?),
        ("http2", &[sockets]) => http2::http2(sockets as usize),
        ("churn", &[cycles]) => churn::churn(cycles as usize),
        ("push", &[clients, seconds]) => {
            push::push(clients as usize, Duration::from_secs(seconds.into()))
        }
        ("crowd", &[seconds]) => crowd::crowd(Duration::from_secs(seconds.into())),
        ("chat", &[seconds, clients]) => {
            chat::chat(Duration::from_secs(seconds.into()), clients as usize)
        }
        _ => Err(USAGE.into()),
    }
}

/// Starts the server.
fn start_server() -> io::Result<Program> {
    Program::start(Command::new(std::env::current_exe()?).arg("serve"))
}

/// Runs the clients in one thread, and leaves the other cores to the server.
fn run<T>(clients: impl Future<Output = T>) -> io::Result<T> {
    Ok(tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(clients))
}

fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}
