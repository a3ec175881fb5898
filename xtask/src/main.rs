//! The project's own commands: `cargo xtask …`.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command prints its results")]

mod autobahn;
mod bench;
mod browser;
mod check;
mod costs;
mod counts;
mod dist;
mod dist_try;
mod ecosystem;
mod engine;
mod fuzz;
mod guide;
mod imports;
mod load;
mod mutants;
mod needs;
mod node;
mod packages;
mod peers;
mod record;
mod requirements;
mod run;
mod sessions;
mod shell;
mod sizes;
mod targets;
mod test;
mod tools;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

use crate::autobahn::Version;
use crate::run::{Failure, cargo};

/// The project's own commands.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
enum Task {
    /// Runs all tests, including those against peers and those of the npm package. Installs the
    /// peers below target/. Skips tests whose programs are not installed, and lists them.
    Test {
        /// Fail if a program is missing, instead of skipping tests.
        #[arg(long)]
        everything: bool,
        /// Arguments for `cargo test`, such as the name of a test.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Checks formatting, lints, docs, the dependencies between the crates, and licences.
    Check,
    /// Prints where each requirement of the RFCs is cited. Fails if the code or the tests do not
    /// cite a requirement and specs/exceptions.md gives no reason, if a cited id is not defined in
    /// specs/, or if a document names a test that does not exist.
    Requirements,
    /// Runs the Autobahn test suite, which takes ten minutes for each role. Installs it below target/.
    Autobahn {
        /// The role to test; both by default.
        #[arg(long)]
        role: Option<autobahn::Role>,
        /// Test over HTTP/2.
        #[arg(long)]
        http2: bool,
        /// Omit the large messages and most tests of compression, which reduces the time to 20 seconds.
        #[arg(long)]
        quick: bool,
    },
    /// Runs the rows of the reference page in WebAssembly: in a page and a worker of Chromium, and in Node.js. Then
    /// lets examples/everywhere in a page talk to the same program in a terminal. Needs the target
    /// wasm32-unknown-unknown, or Debian's rustc-web, rust-web-src and lld-22. Installs wasm-bindgen below
    /// target/.
    Browser,
    /// Builds for other targets, runs the tests there with qemu-user or Wine, and writes docs/targets.md. Needs the
    /// targets, or Debian's rustc-web and rust-web-src, and cross compilers and emulators: gcc-s390x-linux-gnu,
    /// gcc-i686-linux-gnu, lib32gcc-s1, gcc-aarch64-linux-gnu, gcc-mingw-w64-x86-64, qemu-user,
    /// qemu-user-binfmt, wine; and ziglang from PyPI to check the crates for macOS.
    Targets {
        /// The targets, such as `aarch64-unknown-linux-gnu`; all by default.
        targets: Vec<String>,
        /// Build and test only this package, such as `fullduplex-proto`.
        #[arg(long)]
        package: Option<String>,
        /// The time after which a test program is stopped.
        #[arg(long, default_value_t = 15)]
        minutes: u64,
    },
    /// Builds the guide into target/guide with mdBook, which it installs below target/. Fails if a Markdown
    /// file of the repository has a dead link.
    Guide,
    /// Tries every header, sequence of frames, close code, length and start of UTF-8.
    Exhaustive,
    /// Simulates connections: two ends and the network between them, controlled by a seed.
    Simulate {
        /// The number of seeds.
        #[arg(long, default_value_t = 20_000)]
        seeds: u64,
        /// The first seed.
        #[arg(long, default_value_t = 0)]
        first: u64,
        /// Simulate only this seed, and print what happens.
        #[arg(long, conflicts_with_all = ["seeds", "first"])]
        seed: Option<u64>,
    },
    /// Simulates sockets over HTTP/2, their links and faults on them, controlled by a seed.
    SimulateHttp2 {
        /// The number of seeds.
        #[arg(long, default_value_t = 20_000)]
        seeds: u64,
        /// The first seed.
        #[arg(long, default_value_t = 0)]
        first: u64,
        /// Simulate only this seed, and print what happens.
        #[arg(long, conflicts_with_all = ["seeds", "first"])]
        seed: Option<u64>,
    },
    /// Simulates hubs on a model of a broker: nodes, clients and faults, decided by a seed.
    HubSimulate {
        /// The first seed.
        #[arg(default_value_t = 0)]
        first: u64,
        /// The number of seeds.
        #[arg(default_value_t = 20_000)]
        count: u64,
    },
    /// Runs three nodes of a hub with many clients, on NATS and on Redis, while brokers and nodes fail. Fails if a
    /// message is lost without a gap, repeated or out of order. Then cuts off all clients at once, and measures the
    /// costs of a hub. Needs nats-server, redis-server and faketime. Takes seven minutes.
    Hub {
        /// The part to run; all by default.
        part: Option<load::HubPart>,
    },
    /// Makes one small change to the code at a time, and runs the tests of the package. Fails if the tests pass and
    /// docs/mutants.md has no reason for this change. Installs cargo-mutants.
    Mutants {
        /// The package to change.
        #[arg(long, default_value = "fullduplex-proto")]
        package: String,
        /// The part of all changes to try: `0/64` is the first of 64 parts, which takes about five minutes.
        #[arg(long, default_value = "0/64")]
        shard: String,
    },
    /// Runs the fuzz targets of fuzz/.
    Fuzz(fuzz::Options),
    /// Measures the memory of an idle connection and compares other libraries. Fails unless a connection of
    /// fullduplex uses at most 1,024 bytes, and less than a connection of every other library.
    Idle {
        /// The number of connections of each server.
        #[arg(long, default_value_t = 10_000)]
        connections: usize,
    },
    /// Measures what a server costs with many connections: to open them, to hold them, to ping them, and to shut
    /// down.
    Scale {
        /// The numbers of connections, as far as the limit of open files allows.
        #[arg(long, value_delimiter = ',', default_values_t = [1_000, 4_000, 16_000])]
        connections: Vec<usize>,
    },
    /// Measures the processor time of a message for servers and clients, and compares other
    /// libraries.
    Bench(bench::Options),
    /// Measures the processor time and the bytes of a compressed message for each level and window, and compares
    /// servers of other libraries.
    Compression {
        /// The number of rounds for each level.
        #[arg(long, default_value_t = 3)]
        rounds: u32,
    },
    /// Counts the instructions per message with Valgrind. Fails if there are more than in
    /// bench/engine.txt.
    Engine {
        /// Count those of other libraries too, and write bench/engine.txt.
        #[arg(long)]
        write: bool,
    },
    /// Opens and ends connections in every way. Fails if the server does not free all their resources.
    Churn {
        /// The number of connections.
        #[arg(long, default_value_t = 100_000)]
        cycles: u32,
    },
    /// Opens many sockets in one HTTP/2 connection, and as many connections with TLS. Measures memory and time, and
    /// the round trips of one socket while nobody reads another one. Fails if a socket over HTTP/2 needs more memory,
    /// or if the round trips take more than twice as long.
    Http2 {
        /// The number of sockets.
        #[arg(long, default_value_t = 1_000)]
        sockets: u32,
    },
    /// Connects and disconnects clients of handlers that only push. Fails if a slot is not free within a
    /// second of the end of its connection, or if the server grows.
    Push {
        /// The number of clients for each of `Server`, axum and `Socket::drive`.
        #[arg(long, default_value_t = 100_000)]
        clients: u32,
        /// The seconds between two pushes.
        #[arg(long, default_value_t = 60)]
        every: u32,
    },
    /// Connects a thousand hostile clients beside well-behaved ones. Fails if the latter have to
    /// wait, or if the server uses more than 512 MiB.
    Crowd {
        /// The seconds of each measurement, first without and then with the hostile clients.
        #[arg(long, default_value_t = 60)]
        seconds: u32,
    },
    /// Runs a chat room in which clients come and go. Fails if a message is lost, repeated or out of order.
    Chat {
        /// The minutes to run.
        #[arg(long, default_value_t = 10.0)]
        minutes: f64,
        /// The number of clients.
        #[arg(long, default_value_t = 2_000)]
        clients: u32,
    },
    /// Tests our server with other clients, and our client with other servers, directly and through
    /// proxies, over HTTP/1.1 and HTTP/2, and with the health checks of other projects. Needs Chromium, curl,
    /// nginx, HAProxy, nghttpx, Caddy, Squid, tinyproxy, microsocks, Dante, Tomcat and a JDK. Writes docs/interop.md.
    Interop {
        /// The client to test, such as `chromium`, `servers` for our own client, `http2` for both ends over
        /// HTTP/2, or `checkers` for health checks; all by default.
        client: Option<String>,
    },
    /// Runs the terminal sessions of docs/fdx.md, and writes their output into it. Needs bash and
    /// tmux.
    Sessions {
        /// Compare with docs/fdx.md instead, ignoring numbers.
        #[arg(long)]
        check: bool,
    },
    /// Sends `fdx` the worst message for each form of output, and compression bombs. Fails if a form takes more
    /// memory than 3 times the limit of a message.
    Amplification {
        /// An older `fdx` to compare with.
        #[arg(long)]
        before: Option<PathBuf>,
    },
    /// Prints the costs of hostile peers and failing I/O, as the tests measure them.
    Costs,
    /// Builds the smallest client with fullduplex and with other libraries, for a browser and natively. Prints the
    /// sizes, the time to build, and the number of crates. Needs what `browser` needs, wasm-opt and brotli.
    Sizes {
        /// The table to print; both by default.
        host: Option<sizes::Host>,
    },
    /// Runs another of these commands, and writes its output to docs/figures/, such as `hub costs` to
    /// hub-costs.txt.
    Record {
        /// The command, such as `churn --cycles 1000`.
        #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
        command: Vec<String>,
    },
    /// Builds the npm packages into target/dist: `fullduplex`, and one with a binary for each platform that
    /// this machine can build for. Installs cargo-zigbuild and zig below target/.
    Dist(dist::Options),
    /// Tests the npm package with fifteen client libraries and their servers, with jest, vitest and node:test, and in
    /// bundles of esbuild, Rollup and webpack. Installs them below target/.
    Ecosystem,
    /// Runs the tests of the npm package on Node.js 20, 22, 24 and 26, Bun and Deno, and writes docs/runtimes.md. Fails if
    /// a test fails.
    Runtimes,
    /// Echoes a million messages through the npm package, opens and closes 100,000 sockets, and terminates
    /// 3,000 workers. Fails if memory grows or a file stays open.
    Soak {
        /// The part of this to run, such as 0.1.
        #[arg(default_value_t = 1.0)]
        part: f64,
    },
    /// Measures the npm package beside `ws` and undici: messages a second, and processor time.
    NpmBench {
        /// How often each scenario is measured. The median counts.
        #[arg(default_value_t = 5)]
        rounds: u32,
    },
    /// Runs the same tasks with `fdx`, websocat and wscat, which it installs below target/. Writes
    /// docs/tools.md.
    Tools,
}

fn main() -> ExitCode {
    let outcome = match Task::parse() {
        Task::Test { everything, arguments } => test::test(everything, &arguments),
        Task::Check => check::all(),
        Task::Requirements => requirements::check(),
        Task::Autobahn { role, http2, quick } => {
            let version = if http2 { Version::Http2 } else { Version::Http1 };
            autobahn::test(role, version, quick)
        }
        Task::Browser => browser::browser(),
        Task::Targets { targets, package, minutes } => {
            targets::targets(&targets, package.as_deref(), minutes)
        }
        Task::Guide => guide::build(),
        Task::Exhaustive => exhaustive(),
        Task::Simulate { seed: Some(seed), .. } => simulate(None, &[seed]),
        Task::Simulate { seeds, first, seed: None } => simulate(None, &[first, seeds]),
        Task::SimulateHttp2 { seed: Some(seed), .. } => simulate(Some("http2"), &[seed]),
        Task::SimulateHttp2 { seeds, first, seed: None } => {
            simulate(Some("http2"), &[first, seeds])
        }
        Task::HubSimulate { first, count } => hub_simulate(first, count),
        Task::Hub { part } => load::hub(part),
        Task::Mutants { package, shard } => mutants::mutants(&package, &shard),
        Task::Fuzz(options) => fuzz::fuzz(&options),
        Task::Idle { connections } => bench::idle(connections),
        Task::Scale { connections } => bench::scale(&connections),
        Task::Bench(options) => bench::speed(&options),
        Task::Compression { rounds } => bench::compression(rounds),
        Task::Engine { write } => engine::engine(write),
        Task::Churn { cycles } => load::churn(cycles),
        Task::Http2 { sockets } => load::http2(sockets),
        Task::Push { clients, every } => load::push(clients, every),
        Task::Crowd { seconds } => load::crowd(seconds),
        Task::Chat { minutes, clients } => load::chat(minutes, clients),
        Task::Interop { client } => peers::interop(client.as_deref()),
        Task::Sessions { check } => sessions::sessions(check),
        Task::Amplification { before } => load::amplification(before.as_deref()),
        Task::Costs => costs::costs(),
        Task::Sizes { host } => sizes::sizes(host),
        Task::Record { command } => record::record(&command),
        Task::Dist(options) => dist::dist(&options),
        Task::Ecosystem => ecosystem::ecosystem(),
        Task::Runtimes => node::runtimes(),
        Task::Soak { part } => node::soak(part),
        Task::NpmBench { rounds } => node::bench(rounds),
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

fn hub_simulate(first: u64, count: u64) -> Result<(), Failure> {
    let test = ["test", "--release", "--package", "fullduplex-hub", "--lib", "simulation"];
    let mut test = cargo(test);
    test.args(["--", "--nocapture"]).env("HUB_SIMULATE", format!("{first} {count}"));
    run::run(&mut test)
}

fn simulate(transport: Option<&str>, numbers: &[u64]) -> Result<(), Failure> {
    let package = ["run", "--release", "--package", "fullduplex-lab", "--bin", "simulate", "--"];
    run::run(cargo(package).args(transport).args(numbers.iter().map(u64::to_string)))
}
