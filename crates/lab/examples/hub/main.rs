//! Load tests of a hub: three nodes as processes, on a real broker, with clients over WebSockets.
//!
//! `hub faults CLIENTS`: what clients receive while brokers and nodes fail; `hub quick CLIENTS`: two of these faults in half a
//! minute. `hub reconnect CLIENTS`: all clients are cut off at once. `hub costs PROGRAM`: what a delivery, a topic and a
//! subscriber cost, beside a program with socketioxide. It is an example, because only examples and tests can use the hub
//! without making every other user of the lab compile its brokers.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command prints its results")]

mod author;
mod client;
mod costs;
mod crowd;
mod faults;
mod ledger;
mod node;
mod nodes;
mod reconnect;
mod room;

use std::error::Error;
use std::path::Path;
use std::process::ExitCode;

use fullduplex_lab::process::allow_many_files;

type Failure = Box<dyn Error + Send + Sync>;

const USAGE: &str =
    "usage: hub faults CLIENTS, hub quick CLIENTS, hub reconnect CLIENTS, or hub costs PROGRAM";

fn main() -> ExitCode {
    match hub() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("hub: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn hub() -> Result<(), Failure> {
    allow_many_files();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["node", url, history] => runtime.block_on(node::serve(url, history.parse()?)),
        ["room", kind, url] => runtime.block_on(room::serve(kind, url)),
        ["topics", kind] => runtime.block_on(costs::topics(kind)),
        ["costs", program] => runtime.block_on(costs::costs(Path::new(program))),
        ["faults", clients] => runtime.block_on(faults::faults(clients.parse()?)),
        ["quick", clients] => runtime.block_on(faults::quick(clients.parse()?)),
        ["reconnect", clients] => runtime.block_on(reconnect::reconnect(clients.parse()?)),
        _ => Err(USAGE.into()),
    }
}
