//! Measures the cost of a message for a server or a client, for fullduplex and other libraries.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "talking is what a command is for")]

mod connection;
mod deflate;
mod document;
mod figure;
mod generator;
mod handshakes;
mod meter;
mod plot;
mod replies;
mod rounds;
mod script;
mod servers;
mod streams;
mod table;
mod talker;
mod traffic;
mod workload;

use std::io;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use fullduplex_bench::files::allow_connections;
use fullduplex_bench::peer::{CLIENTS, HTTP2_SERVERS, Peer, SERVERS};

use crate::meter::Pace;
use crate::table::Table;
use crate::workload::{Action, WORKLOADS, Workload};

/// Measures the cost of a message for a server or a client, for fullduplex and other libraries.
#[derive(Debug, Parser)]
struct Options {
    /// Run three short rounds instead of seven.
    #[arg(long)]
    quick: bool,
    /// The number of rounds.
    #[arg(long)]
    rounds: Option<usize>,
    /// The workloads, such as `w3,w4`; all by default. A name stands for all workloads that start
    /// with it.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// The libraries, such as `fullduplex,raw`; all by default.
    #[arg(long, value_delimiter = ',')]
    peers: Vec<String>,
    /// Run the workloads `w1` to `w5` over HTTP/2: each WebSocket is a stream, and all streams are in one
    /// connection. With `--write`, write the tables to `docs/speed-http2.md`.
    #[arg(long)]
    http2: bool,
    #[command(flatten)]
    output: Output,
}

/// Which document is written.
#[derive(Debug, clap::Args)]
struct Output {
    /// Write the tables to `docs/speed.md` and their picture to `docs/speed.svg`.
    #[arg(long, conflicts_with_all = ["quick", "only", "peers"])]
    write: bool,
    /// Write the tables to `docs/speed-native.md`. The programs were built for this processor.
    #[arg(long, conflicts_with_all = ["quick", "write", "http2"])]
    native: bool,
}

const FULL: Pace = Pace { warm_up: Duration::from_millis(60), measure: Duration::from_millis(300) };
const QUICK: Pace = Pace { warm_up: Duration::from_millis(20), measure: Duration::from_millis(80) };

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
    let mut tables = options.tables()?;
    let connections = tables.iter().map(|table| table.workload.connections).max();
    allow_connections(connections.unwrap_or_default())?;
    let rounds = options.rounds.unwrap_or(rounds).max(1);
    rounds::run(&mut tables, rounds, pace)?;
    tables.iter().for_each(|table| println!("\n{table}"));
    match options.output {
        Output { write: true, .. } if options.http2 => document::write_http2(&tables, rounds),
        Output { write: true, .. } => document::write(&tables, rounds),
        Output { native: true, .. } => document::write_native(&tables, rounds),
        Output { write: false, native: false } => Ok(()),
    }
}

impl Options {
    /// Returns the tables to fill.
    fn tables(&self) -> io::Result<Vec<Table>> {
        let (workloads, servers) = match self.http2 {
            true => (workload::over_http2(), &HTTP2_SERVERS[..]),
            false => (WORKLOADS.to_vec(), &SERVERS[..]),
        };
        let workloads =
            chosen(&workloads, &self.only, |workload, name| workload.name.starts_with(name))?;
        let is = |peer: &Peer, name: &str| peer.program.contains(&name.replace('-', "_"));
        let servers = chosen(servers, &self.peers, is)?;
        let clients = CLIENTS.iter().filter(|client| {
            self.peers.is_empty() || self.peers.iter().any(|name| is(client, name))
        });
        let clients: Vec<Peer> = clients.copied().collect();
        let empty = |workload: Workload| {
            let able = |peer: &&Peer| peer.can(workload.mode());
            let peers = if workload.action == Action::Client { &clients } else { &servers };
            let rows = peers.iter().filter(able).map(|peer| (*peer, Vec::new())).collect();
            Table { workload, rows }
        };
        Ok(workloads.into_iter().map(empty).collect())
    }
}

/// Returns the items with the given names, or all if no name is given.
fn chosen<T: Copy>(
    all: &[T],
    names: &[String],
    is: impl Fn(&T, &str) -> bool,
) -> io::Result<Vec<T>> {
    if let Some(name) = names.iter().find(|name| !all.iter().any(|each| is(each, name))) {
        return Err(io::Error::other(format!("unknown name `{name}`")));
    }
    let is_chosen = |each: &&T| names.is_empty() || names.iter().any(|name| is(each, name));
    Ok(all.iter().filter(is_chosen).copied().collect())
}
