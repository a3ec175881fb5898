//! The engines of several libraries without I/O, one case of work at a time, for whoever counts
//! their instructions: `cargo xtask engine`.
//!
//! A message is received from, or sent to, a `Wire` in memory. Receiving includes what the library
//! does to read (the wire copies bytes into its buffer, as a system would), to parse, unmask and
//! validate, to make a message of its own of the payload, and to drop it. Sending begins with a
//! payload that the caller keeps, and includes masking with a random key of `rand`, which all of the
//! libraries use, encoding, and handing the bytes to the wire, which looks at none of them. No runtime
//! takes part: the asynchronous ones are polled by hand, and never have to wait.
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

/// The engines of several libraries without I/O.
#[derive(Debug, Parser)]
enum Task {
    /// Prints the libraries, ours first, and the cases.
    List,
    /// Receives or sends messages.
    Run {
        library: Library,
        case: Case,
        /// How many messages.
        count: usize,
    },
}

fn main() -> ExitCode {
    match Task::parse() {
        Task::List => list(),
        Task::Run { .. } if !has_avx2() => {
            eprintln!("engine: without AVX2 the counts are others than those written down");
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

/// Whether what is found at run time is what nearly all x86-64 processors have: Valgrind shows a
/// program AVX2, if the processor has it, and nothing newer.
fn has_avx2() -> bool {
    #[cfg(target_arch = "x86_64")]
    return is_x86_feature_detected!("avx2");
    #[cfg(not(target_arch = "x86_64"))]
    false
}
