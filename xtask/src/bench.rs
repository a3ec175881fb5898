//! Builds and runs the programs of the workspace `bench/`.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use clap::Args;

use crate::run::{Failure, cargo, root, run};

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Measure a few short rounds, which takes about a minute.
    #[arg(long)]
    quick: bool,
    /// The number of rounds.
    #[arg(long)]
    rounds: Option<u32>,
    /// The workloads, such as `w3,w4`; a name stands for all workloads that start with it.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// The libraries to build and measure, such as `fullduplex,raw`.
    #[arg(long, value_delimiter = ',')]
    peers: Vec<String>,
    /// Run `w1` to `w5` over HTTP/2: each WebSocket is a stream of one connection. With `--write`, write
    /// `docs/speed-http2.md`.
    #[arg(long)]
    http2: bool,
    #[command(flatten)]
    output: Output,
}

/// Which document is written.
#[derive(Debug, Args)]
struct Output {
    /// Write `docs/speed.md` and `docs/speed.svg`.
    #[arg(long, conflicts_with_all = ["quick", "only", "peers"])]
    write: bool,
    /// Build for this processor with `lto = "fat"`, and write `docs/speed-native.md`.
    #[arg(long, conflicts_with_all = ["quick", "write", "http2"])]
    native: bool,
}

/// The server that all clients connect to.
const FOR_CLIENTS: &str = "serve_fullduplex";

/// Measures the memory of idle connections, for fullduplex and other libraries.
pub(crate) fn idle(connections: usize) -> Result<(), Failure> {
    let servers = peers(&["serve_"], |_| true)?;
    let folder = build(["idle"].into_iter().chain(servers.iter().map(String::as_str)))?;
    let mut program = Command::new(folder.join("idle"));
    run(program.args(["--connections", &connections.to_string()]))
}

/// Measures what many connections cost.
pub(crate) fn scale(connections: &[usize]) -> Result<(), Failure> {
    let program = build(["scale", "scale_server"])?.join("scale");
    let counts: Vec<_> = connections.iter().map(usize::to_string).collect();
    run(Command::new(program).args(["--connections", &counts.join(",")]))
}

/// Measures the processor time of a message, for fullduplex and other libraries.
pub(crate) fn speed(options: &Options) -> Result<(), Failure> {
    let peers = options.peers()?;
    let programs = ["speed", FOR_CLIENTS].into_iter().chain(peers.iter().map(String::as_str));
    let folder = if options.output.native { build_native(programs) } else { build(programs) }?;
    run(Command::new(folder.join("speed")).args(options.arguments()))
}

/// The compression levels to measure, and the servers that have such an option.
const LEVELS: [u8; 7] = [1, 2, 3, 4, 5, 6, 9];
const COMPRESSING: [&str; 4] = ["fullduplex", "sockudo", "wtx", "yawc"];

/// Measures processor time against bytes for each compression level: in memory, and for servers beside those of other
/// libraries.
pub(crate) fn compression(rounds: u32) -> Result<(), Failure> {
    let servers = COMPRESSING.map(|peer| format!("serve_{peer}"));
    let programs = ["compression", "speed"].into_iter();
    let folder = build(programs.chain(servers.iter().map(String::as_str)))?;
    run(&mut Command::new(folder.join("compression")))?;
    for level in LEVELS {
        println!("Servers at level {level}:\n");
        let mut speed = Command::new(folder.join("speed"));
        speed.args(["--only=w6", &format!("--rounds={rounds}")]);
        speed.arg(format!("--peers={}", COMPRESSING.join(",")));
        run(speed.env("DEFLATE_LEVEL", level.to_string()))?;
    }
    Ok(())
}

impl Options {
    fn peers(&self) -> Result<Vec<String>, Failure> {
        let kinds = if self.http2 { &["http2_"][..] } else { &["serve_", "talk_"] };
        peers(kinds, |name| {
            let is_wanted = |wanted: &String| name.contains(&wanted.replace('-', "_"));
            self.peers.is_empty() || self.peers.iter().any(is_wanted)
        })
    }

    fn arguments(&self) -> Vec<String> {
        let lists = [("--only", &self.only), ("--peers", &self.peers)];
        let lists = lists.into_iter().filter(|(_, list)| !list.is_empty());
        let mut arguments: Vec<String> =
            lists.map(|(name, list)| format!("{name}={}", list.join(","))).collect();
        let flags = [
            ("--quick", self.quick),
            ("--write", self.output.write),
            ("--http2", self.http2),
            ("--native", self.output.native),
        ];
        arguments.extend(flags.iter().filter(|(_, on)| *on).map(|(name, _)| (*name).to_owned()));
        arguments.extend(self.rounds.map(|rounds| format!("--rounds={rounds}")));
        arguments
    }
}

/// Returns the programs whose name begins with one of `kinds` and for which `is_wanted` returns true.
fn peers(kinds: &[&str], is_wanted: impl Fn(&str) -> bool) -> Result<Vec<String>, Failure> {
    let mut programs = Vec::new();
    for entry in fs::read_dir(root().join("bench/src/bin"))? {
        let name = entry?.file_name().to_string_lossy().replace(".rs", "");
        if kinds.iter().any(|kind| name.starts_with(kind)) && is_wanted(&name) {
            programs.push(name);
        }
    }
    Ok(programs)
}

/// Builds programs. Returns their folder. Linking all of them takes minutes.
pub(crate) fn build<'a>(programs: impl IntoIterator<Item = &'a str>) -> Result<PathBuf, Failure> {
    // CI disables link-time optimization with a variable, but these programs are measured.
    let mut cargo = cargo(["build"]);
    cargo.env_remove("CARGO_PROFILE_RELEASE_LTO");
    build_into("bench", &mut cargo, programs)
}

/// Builds programs for this processor, like [`build`].
fn build_native<'a>(programs: impl IntoIterator<Item = &'a str>) -> Result<PathBuf, Failure> {
    let mut cargo = cargo(["build"]);
    cargo.env("CARGO_PROFILE_RELEASE_LTO", "fat").env("RUSTFLAGS", "-C target-cpu=native");
    build_into("bench-native", &mut cargo, programs)
}

fn build_into<'a>(
    folder: &str,
    cargo: &mut Command,
    programs: impl IntoIterator<Item = &'a str>,
) -> Result<PathBuf, Failure> {
    let folder = root().join("target").join(folder);
    let programs = programs.into_iter().flat_map(|program| ["--bin", program]);
    run(cargo
        .args(["--locked", "--release", "--target-dir"])
        .arg(&folder)
        .args(programs)
        .current_dir(root().join("bench")))?;
    Ok(folder.join("release"))
}
