//! The programs of the workspace `bench/`: peers written in Rust, and what measures them.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use clap::Args;

use crate::run::{Failure, cargo, root, run};

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Short rounds, and few of them: a minute.
    #[arg(long)]
    quick: bool,
    /// How many rounds.
    #[arg(long)]
    rounds: Option<u32>,
    /// The workloads, such as `w3,w4`: a name stands for all that begin with it.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// The libraries, such as `fullduplex,raw`. Only these are built.
    #[arg(long, value_delimiter = ',')]
    peers: Vec<String>,
    /// Write `docs/speed.md` and `docs/speed.svg`.
    #[arg(long, conflicts_with_all = ["quick", "only", "peers"])]
    write: bool,
}

/// The server that all clients talk to.
const FOR_CLIENTS: &str = "serve_fullduplex";

/// Weighs idle connections of our server and of others.
pub(crate) fn idle(connections: usize) -> Result<(), Failure> {
    let folder = build(&[])?;
    let mut program = Command::new(folder.join("idle"));
    run(program.args(["--connections", &connections.to_string()]))
}

/// Measures what a message costs our server and client, and those of others.
pub(crate) fn speed(options: &Options) -> Result<(), Failure> {
    let programs = options.programs()?;
    let programs: Vec<&str> = programs.iter().flat_map(|program| ["--bin", program]).collect();
    let folder = build(&programs)?;
    run(Command::new(folder.join("speed")).args(options.arguments()))
}

impl Options {
    /// Linking all of them takes minutes.
    fn programs(&self) -> Result<Vec<String>, Failure> {
        let mut programs = vec!["speed".to_owned(), FOR_CLIENTS.to_owned()];
        for entry in fs::read_dir(root().join("bench/src/bin"))? {
            let name = entry?.file_name().to_string_lossy().replace(".rs", "");
            let is_peer = name.starts_with("serve_") || name.starts_with("talk_");
            let is_wanted = |wanted: &String| name.contains(&wanted.replace('-', "_"));
            if is_peer && (self.peers.is_empty() || self.peers.iter().any(is_wanted)) {
                programs.push(name);
            }
        }
        Ok(programs)
    }

    fn arguments(&self) -> Vec<String> {
        let lists = [("--only", &self.only), ("--peers", &self.peers)];
        let lists = lists.into_iter().filter(|(_, list)| !list.is_empty());
        let mut arguments: Vec<String> =
            lists.map(|(name, list)| format!("{name}={}", list.join(","))).collect();
        let flags = [("--quick", self.quick), ("--write", self.write)];
        arguments.extend(flags.iter().filter(|(_, on)| *on).map(|(name, _)| (*name).to_owned()));
        arguments.extend(self.rounds.map(|rounds| format!("--rounds={rounds}")));
        arguments
    }
}

/// Builds the programs, or those that `arguments` ask for, and returns the folder in which they are.
pub(crate) fn build(arguments: &[&str]) -> Result<PathBuf, Failure> {
    let folder = root().join("target/bench");
    run(cargo(["build", "--locked", "--release", "--target-dir"])
        .arg(&folder)
        .args(arguments)
        .current_dir(root().join("bench")))?;
    Ok(folder.join("release"))
}
