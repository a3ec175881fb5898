//! What a message costs a server, ours beside others.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "talking is what a command is for")]

mod connection;
mod content;
mod figure;
mod generator;
mod meter;
mod replies;
mod rounds;
mod script;
mod table;
mod workload;

use std::io;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use fullduplex_bench::peer::{PEERS, Peer};

use crate::meter::Pace;
use crate::workload::{WORKLOADS, Workload};

/// What a message costs a server, ours beside others.
#[derive(Debug, Parser)]
struct Options {
    /// Three short rounds instead of seven.
    #[arg(long)]
    quick: bool,
    /// How many rounds.
    #[arg(long)]
    rounds: Option<usize>,
    /// The workloads, such as `w3,w4`; all by default. A name stands for all that begin with it.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// The libraries, such as `fullduplex,raw`; all by default.
    #[arg(long, value_delimiter = ',')]
    peers: Vec<String>,
}

const FULL: Pace =
    Pace { warm_up: Duration::from_millis(100), measure: Duration::from_millis(300) };
const QUICK: Pace =
    Pace { warm_up: Duration::from_millis(30), measure: Duration::from_millis(100) };

fn main() -> ExitCode {
    match compare(&Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("speed: {error}");
            ExitCode::FAILURE
        }
    }
}

fn compare(options: &Options) -> io::Result<()> {
    let (rounds, pace) = if options.quick { (3, QUICK) } else { (7, FULL) };
    let tables = rounds::run(
        &options.workloads()?,
        &options.peers()?,
        options.rounds.unwrap_or(rounds).max(1),
        pace,
    )?;
    tables.iter().for_each(table::Table::print);
    Ok(())
}

impl Options {
    fn workloads(&self) -> io::Result<Vec<Workload>> {
        chosen(&WORKLOADS, &self.only, |workload, name| workload.name.starts_with(name))
    }

    fn peers(&self) -> io::Result<Vec<Peer>> {
        chosen(&PEERS, &self.peers, |peer, name| {
            peer.name.contains(name) || peer.program.contains(name)
        })
    }
}

/// Those of all that are asked for, or all if none is.
fn chosen<T: Copy>(
    all: &[T],
    names: &[String],
    is: impl Fn(&T, &str) -> bool,
) -> io::Result<Vec<T>> {
    if let Some(name) = names.iter().find(|name| !all.iter().any(|each| is(each, name))) {
        return Err(io::Error::other(format!("there is no `{name}`")));
    }
    let is_chosen = |each: &&T| names.is_empty() || names.iter().any(|name| is(each, name));
    Ok(all.iter().filter(is_chosen).copied().collect())
}
