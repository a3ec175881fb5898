//! `fdx`: WebSockets in a terminal.
#![allow(rustdoc::bare_urls, reason = "the comments of arguments are their help")]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "talking is what a command is for")]

mod args;
mod bench;
mod client;
mod connect;
mod exit;
mod figures;
mod generated;
mod listen;
mod output;
mod probe;
mod tap;
mod tour;
mod values;

use std::process::ExitCode;

use clap::Parser;

use crate::args::{Args, Command};
use crate::exit::{Failure, exit_of};
use crate::output::NobodyReads;

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
        Err(failure) if failure.is::<NobodyReads>() => ExitCode::SUCCESS,
        Err(failure) => {
            let reason = failure.to_string();
            if !reason.is_empty() {
                anstream::eprintln!("fdx: {reason}");
            }
            ExitCode::from(exit_of(&failure) as u8)
        }
    }
}

async fn run(args: Args) -> Result<(), Failure> {
    match args.command {
        None => tour::run().await,
        Some(Command::Bench(args)) => bench::run(*args).await,
        Some(Command::Completions(args)) => generated::completions(args),
        Some(Command::Connect(args)) => connect::run(*args).await,
        Some(Command::Listen(args)) => listen::run(*args).await,
        Some(Command::Man(args)) => generated::man(&args),
        Some(Command::Probe(args)) => probe::run(*args).await,
        Some(Command::Tap(args)) => tap::run(*args).await,
    }
}
