//! Measures the memory of idle connections, for fullduplex and other libraries.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "talking is what a command is for")]

mod cost;

use std::io;
use std::process::ExitCode;

use clap::Parser;
use fullduplex_bench::files::allow_connections;
use fullduplex_bench::peer::{Kind, Peer, SERVERS};
use rustix::thread::disable_transparent_huge_pages;

use crate::cost::{Cost, measure};

/// Measures the memory of idle connections, for fullduplex and other libraries.
#[derive(Debug, Parser)]
struct Options {
    /// The number of connections to each server.
    #[arg(long, default_value_t = 10_000)]
    connections: usize,
}

/// The most that a connection of fullduplex may use in bytes, without TLS and compression.
const LIMIT: f64 = 1024.0;

/// Servers whose memory is not measured. The measurement of the others already takes minutes. In addition,
/// wtx compresses even messages that are too short for compression.
const OTHERS: [&str; 4] = ["serve_fullduplex_per_core", "serve_wtx", "serve_yawc", "serve_epoll"];

#[derive(Debug)]
struct Row {
    peer: Peer,
    plain: Cost,
    deflate: Option<Cost>,
}

fn main() -> ExitCode {
    match compare(&Options::parse()) {
        Ok(faults) if faults.is_empty() => ExitCode::SUCCESS,
        Ok(faults) => {
            faults.iter().for_each(|fault| eprintln!("idle: {fault}"));
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("idle: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Measures, prints the figures, and returns what is wrong with fullduplex.
fn compare(options: &Options) -> io::Result<Vec<String>> {
    allow_connections(options.connections)?;
    // The servers inherit this setting. A huge page is resident as a whole, even if only a part of it is
    // used.
    disable_transparent_huge_pages(true)?;
    let mut rows = Vec::new();
    for peer in SERVERS.into_iter().filter(|peer| !OTHERS.contains(&peer.program)) {
        eprintln!("{} …", peer.program);
        let plain = measure(&peer, false, options.connections)?;
        let deflate = match peer.kind {
            Kind::Deflating => Some(measure(&peer, true, options.connections)?),
            _ => None,
        };
        rows.push(Row { peer, plain, deflate });
    }
    print(&rows);
    Ok(faults(&rows))
}

/// Prints a table in Markdown.
fn print(rows: &[Row]) {
    println!(
        "| bytes per connection | idle | after 16 KiB each | all closed \
         | idle, deflate | after 16 KiB each, deflate | all closed, deflate |"
    );
    println!("|---|---|---|---|---|---|---|");
    for Row { peer, plain, deflate } in rows {
        print!("| {} |", peer.label());
        for cost in [Some(*plain), *deflate] {
            match cost {
                Some(Cost { idle, used, closed }) => {
                    [idle, used, closed].iter().for_each(|each| print!(" {each:.0} |"));
                }
                None => print!(" – | – | – |"),
            }
        }
        println!();
    }
}

/// Returns what is wrong with the first row, which is fullduplex.
fn faults(rows: &[Row]) -> Vec<String> {
    let Some((ours, others)) = rows.split_first() else { return Vec::new() };
    let mut faults = Vec::new();
    for other in others.iter().filter(|other| !other.peer.kind.is_raw()) {
        let with_deflate = ours.deflate.zip(other.deflate);
        let mut costs = [Some((ours.plain, other.plain)), with_deflate].into_iter().flatten();
        if costs.any(|(ours, other)| ours.idle >= other.idle || ours.used >= other.used) {
            faults.push(format!("{} takes no more than we do", other.peer.name));
        }
    }
    if ours.plain.idle.max(ours.plain.used) > LIMIT {
        faults.push(format!("a connection of ours takes more than {LIMIT} bytes"));
    }
    faults
}
