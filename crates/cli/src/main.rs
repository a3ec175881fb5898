//! `fdx`: WebSockets in a terminal.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "talking is what a command is for")]

mod args;
mod connect;
mod listen;
mod tour;

use std::process::ExitCode;

use clap::Parser;

use crate::args::{Args, Command};

/// Why a command did not do what it was asked to: one sentence for the person who asked.
type Failure = Box<dyn std::error::Error>;

fn main() -> ExitCode {
    let args = Args::parse();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let outcome = runtime.map_err(Failure::from).and_then(|runtime| {
        let outcome = runtime.block_on(run(args));
        // A read of the terminal that is under way would hold up an orderly end.
        runtime.shutdown_background();
        outcome
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            anstream::eprintln!("fdx: {failure}");
            ExitCode::FAILURE
        }
    }
}

async fn run(args: Args) -> Result<(), Failure> {
    match args.command {
        None => tour::run().await,
        Some(Command::Connect(args)) => connect::run(args).await,
        Some(Command::Listen(args)) => listen::run(args).await,
    }
}
