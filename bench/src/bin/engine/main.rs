//! The engines of several libraries without I/O, one case at a time, to count their instructions
//! with `cargo xtask engine`.
//!
//! A message is received from a `Wire` in memory, or sent to it. Receiving includes everything that
//! the library does to read (the wire copies bytes into its buffer, like a system call), to parse,
//! unmask and validate, to create a message, and to drop it. Sending starts with a payload that the
//! caller keeps. It includes masking with a random key (all libraries use `rand`), encoding, and
//! writing the bytes to the wire, which ignores them. There is no runtime: asynchronous libraries
//! are polled by hand, and never have to wait.
//!
//! An echo is the plain loop of a server, which receives bursts and sends each message back. It runs on
//! tokio, and waits once between two bursts.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "talking is what a command is for")]

mod case;
mod fastwebsockets;
mod frame;
mod fullduplex;
mod library;
mod tokio_websockets;
mod tungstenite;
mod wire;

use std::process::ExitCode;

use clap::Parser;

use crate::case::Case;
use crate::library::Library;

/// Measures the engines of several libraries without I/O.
#[derive(Debug, Parser)]
enum Task {
    /// Prints the libraries, fullduplex first, and the cases.
    List,
    /// Receives or sends messages.
    Run {
        library: Library,
        case: Case,
        /// The number of messages.
        count: usize,
    },
}

fn main() -> ExitCode {
    match Task::parse() {
        Task::List => list(),
        Task::Run { .. } if !has_avx2() => {
            eprintln!("engine: without AVX2 the counts differ from the recorded ones");
            return ExitCode::FAILURE;
        }
        Task::Run { library, case, count } => library.run(&case, count),
    }
    ExitCode::SUCCESS
}

fn list() {
    for library in Library::ALL {
        println!("library {} {}", library.name(), library.version());
    }
    Case::all().for_each(|case| println!("case {case}"));
}

/// Returns whether the processor has AVX2, as nearly all x86-64 processors do. Under Valgrind, a
/// program detects AVX2 if the processor has it, but no newer instructions.
fn has_avx2() -> bool {
    #[cfg(target_arch = "x86_64")]
    return is_x86_feature_detected!("avx2");
    #[cfg(not(target_arch = "x86_64"))]
    false
}
