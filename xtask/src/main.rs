//! The project's own commands: `cargo xtask …`.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "talking is what a command is for")]

mod autobahn;
mod bench;
mod check;
mod costs;
mod counts;
mod engine;
mod fuzz;
mod guide;
mod load;
mod needs;
mod node;
mod peers;
mod record;
mod requirements;
mod run;
mod sessions;
mod test;
mod tools;

use std::process::ExitCode;

use clap::Parser;

use crate::run::{Failure, cargo};

/// The project's own commands.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
enum Task {
    /// Runs all tests, also those against peers and those of the npm package. Installs the peers below
    /// target/. Leaves out tests whose programs are not installed, and lists them.
    Test {
        /// Fail if a program is missing, instead of leaving tests out.
        #[arg(long)]
        everything: bool,
        /// Arguments for `cargo test`, such as the name of a test.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// All that is not a test: formatting, lints, docs, the walls between the crates, licences.
    Check,
    /// Prints where each requirement of the RFCs is cited. Fails if the code or the tests cite one nowhere
    /// and specs/exceptions.md has no reason, if a cited id is not defined in specs/, or if a document
    /// names a test that does not exist.
    Requirements,
    /// The Autobahn test suite, some ten minutes for each end; sets it up below target/.
    Autobahn {
        /// The end to test; both by default.
        #[arg(long)]
        role: Option<autobahn::Role>,
        /// Leave out the large messages and most of compression: some 20 seconds.
        #[arg(long)]
        quick: bool,
    },
    /// Builds the guide into target/guide with mdBook, which it installs below target/. Fails if a Markdown
    /// file of the repository has a dead link.
    Guide,
    /// Every header, sequence of frames, close code, length and beginning of UTF-8, with optimisation.
    Exhaustive,
    /// Simulates connections, two ends and what is between them, each decided by a seed.
    Simulate {
        /// How many seeds.
        #[arg(long, default_value_t = 20_000)]
        seeds: u64,
        /// The first of them.
        #[arg(long, default_value_t = 0)]
        first: u64,
        /// Simulate this one, and print what happens.
        #[arg(long, conflicts_with_all = ["seeds", "first"])]
        seed: Option<u64>,
    },
    /// Feeds generated inputs to the targets of fuzz/, looking for one that breaks a promise.
    Fuzz(fuzz::Options),
    /// What an idle connection costs in memory, beside other libraries; fails if it is more than 1,280 bytes,
    /// or than theirs.
    Idle {
        /// How many connections each server gets.
        #[arg(long, default_value_t = 10_000)]
        connections: usize,
    },
    /// What a message costs in time of the processor, beside other libraries, for servers and clients.
    Bench(bench::Options),
    /// Instructions per message, counted by Valgrind; fails if ours are more than bench/engine.txt says.
    Engine {
        /// Count those of other libraries too, and write all down there.
        #[arg(long)]
        write: bool,
    },
    /// Connections that come and go; fails if our server keeps anything of them.
    Churn {
        /// How many connections.
        #[arg(long, default_value_t = 100_000)]
        cycles: u32,
    },
    /// A thousand hostile peers of our server beside good ones; fails if those have to wait, or if it
    /// takes much memory.
    Crowd {
        /// How long to measure, without and with the crowd.
        #[arg(long, default_value_t = 60)]
        seconds: u32,
    },
    /// A chat room in which clients come and go; fails if any message is lost, repeated or out of order.
    Chat {
        /// How long they talk.
        #[arg(long, default_value_t = 10.0)]
        minutes: f64,
        /// How many there are.
        #[arg(long, default_value_t = 2_000)]
        clients: u32,
    },
    /// Our server with the clients of others, directly and behind nginx and HAProxy, and our client with the
    /// servers of others, also through Squid, tinyproxy, microsocks and Dante; all of them must be installed, as
    /// Chromium must. Writes docs/interop.md.
    Interop {
        /// The client to try it with, such as `chromium`, or `servers` for our own; all by default.
        client: Option<String>,
    },
    /// Runs the sessions in a terminal that docs/fdx.md shows, and writes down what they print (needs bash
    /// and tmux).
    Sessions {
        /// Compare instead, all but the numbers.
        #[arg(long)]
        check: bool,
    },
    /// Prints what hostile peers and failing I/O cost, as tests measure it with optimisation.
    Costs,
    /// Runs another command of these, and writes what it prints to docs/figures/.
    Record {
        /// The command, such as `churn --cycles 1000`.
        #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
        command: Vec<String>,
    },
    /// Tries what one expects of `fdx`, and of websocat and wscat, which it installs below target/; writes
    /// docs/tools.md.
    Tools,
}

fn main() -> ExitCode {
    let outcome = match Task::parse() {
        Task::Test { everything, arguments } => test::test(everything, &arguments),
        Task::Check => check::all(),
        Task::Requirements => requirements::check(),
        Task::Autobahn { role, quick } => autobahn::test(role, quick),
        Task::Guide => guide::build(),
        Task::Exhaustive => exhaustive(),
        Task::Simulate { seed: Some(seed), .. } => simulate(&[seed]),
        Task::Simulate { seeds, first, seed: None } => simulate(&[first, seeds]),
        Task::Fuzz(options) => fuzz::fuzz(&options),
        Task::Idle { connections } => bench::idle(connections),
        Task::Bench(options) => bench::speed(&options),
        Task::Engine { write } => engine::engine(write),
        Task::Churn { cycles } => load::churn(cycles),
        Task::Crowd { seconds } => load::crowd(seconds),
        Task::Chat { minutes, clients } => load::chat(minutes, clients),
        Task::Interop { client } => peers::interop(client.as_deref()),
        Task::Sessions { check } => sessions::sessions(check),
        Task::Costs => costs::costs(),
        Task::Record { command } => record::record(&command),
        Task::Tools => tools::tools(),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure(failure)) => {
            eprintln!("xtask: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn exhaustive() -> Result<(), Failure> {
    let package = ["test", "--release", "--package", "fullduplex-proto"];
    run::run(cargo(package).args(["--lib", "--test", "exhaustive"]))
}

fn simulate(numbers: &[u64]) -> Result<(), Failure> {
    let package = ["run", "--release", "--package", "fullduplex-lab", "--bin", "simulate", "--"];
    run::run(cargo(package).args(numbers.iter().map(u64::to_string)))
}
