//! `fdx`: WebSockets in a terminal.
#![allow(rustdoc::bare_urls, reason = "the comments of arguments are their help")]

mod args;
mod bench;
mod client;
mod connect;
mod context;
mod exit;
mod figures;
mod generated;
mod hub;
mod interrupt;
mod listen;
mod output;
mod probe;
mod secrets;
mod tap;
mod tour;
mod values;

use std::process::ExitCode;

use clap::{CommandFactory as _, Parser as _};

use crate::args::{Args, Command};
use crate::context::Context;
use crate::exit::{Exit, Failure, exit_of};
use crate::interrupt::Interrupt;
use crate::output::{Output, StdoutClosed};

fn main() -> ExitCode {
    let args = Args::try_parse();
    let output = Output::start();
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(_) => return ExitCode::from(Exit::Failed as u8),
    };
    let exit = runtime.block_on(async {
        match args {
            Ok(args) => run_to_end(args, output).await,
            Err(error) => wrong_arguments(&error, &output).await,
        }
    });
    // A pending read of the terminal would delay the exit.
    runtime.shutdown_background();
    exit
}

/// Runs the command, prints why it failed, and waits until all output is written.
async fn run_to_end(args: Args, output: Output) -> ExitCode {
    let secrets = args.secrets();
    let (outcome, interrupt) = match Interrupt::listen() {
        Ok(interrupt) => {
            let context = Context { output: output.clone(), interrupt: interrupt.clone(), secrets };
            (run(args, &context).await, Some(interrupt))
        }
        Err(error) => (Err(format!("could not listen for signals: {error}").into()), None),
    };
    let grace = async {
        match &interrupt {
            Some(interrupt) => interrupt.grace().await,
            None => std::future::pending().await,
        }
    };
    tokio::pin!(grace);
    tokio::select! {
        () = output.written() => {}
        () = &mut grace => {}
    }
    let outcome = outcome.and_then(|()| output.failure().map_or(Ok(()), Err));
    let Err(failure) = outcome else { return ExitCode::SUCCESS };
    if failure.is::<StdoutClosed>() {
        return ExitCode::SUCCESS;
    }
    let reason = failure.to_string();
    if !reason.is_empty() {
        output.note(format!("fdx: {}", secrets.text(&reason)));
        tokio::select! {
            () = output.written() => {}
            () = grace => {}
        }
    }
    ExitCode::from(exit_of(&failure) as u8)
}

async fn run(args: Args, context: &Context) -> Result<(), Failure> {
    match args.command {
        None => tour::run(context).await,
        Some(Command::Bench(args)) => bench::run(*args, context).await,
        Some(Command::Completions(args)) => {
            generated::completions(args, Args::command(), context).await
        }
        Some(Command::Connect(args)) => connect::run(*args, context).await,
        Some(Command::Hub(args)) => hub::run(*args, context).await,
        Some(Command::Listen(args)) => listen::run(*args, context).await,
        Some(Command::Man(args)) => generated::man(&args, Args::command(), context).await,
        Some(Command::Probe(args)) => probe::run(*args, context).await,
        Some(Command::Tap(args)) => tap::run(*args, context).await,
    }
}

/// Prints the error in the arguments, or the help that they request.
async fn wrong_arguments(error: &clap::Error, output: &Output) -> ExitCode {
    if !error.use_stderr() {
        // Help and version contain only text of this command.
        error.print().ok();
        return ExitCode::SUCCESS;
    }
    for line in error.render().to_string().lines() {
        output.note(line);
    }
    output.written().await;
    ExitCode::from(Exit::Usage as u8)
}
