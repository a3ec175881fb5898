//! Runs programs in WebAssembly in Chromium and in Node.js: `browser FOLDER`. `cargo xtask browser` builds
//! the folder.
#![allow(clippy::print_stdout, reason = "talking is what a command is for")]

mod chromium;
mod files;

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use fullduplex_lab::echo;

use crate::chromium::Chromium;
use crate::files::Files;

/// The longest time that a host may take until its next report.
const PATIENCE: Duration = Duration::from_secs(120);

fn main() -> ExitCode {
    let folder = std::env::args().nth(1).expect("usage: browser FOLDER");
    let folder = Path::new(&folder);
    let echo = format!("ws://127.0.0.1:{}/", echo::start(None));
    let files = Files::serve(folder);
    let mut has_failed = false;
    for page in ["page.html", "worker.html"] {
        let url = format!("http://127.0.0.1:{}/{page}?{echo}", files.port);
        let _chromium = Chromium::open(&url);
        has_failed |= !finishes(page, &files.reports);
    }
    has_failed |= !runs_in_node(folder, &echo);
    if has_failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// Prints the reports of a host until it has finished.
fn finishes(host: &str, reports: &Receiver<String>) -> bool {
    loop {
        match reports.recv_timeout(PATIENCE) {
            Ok(report) if report == "done" => return true,
            Ok(report) => {
                println!("{host}: {report}");
                if !report.starts_with("ok ") {
                    return false;
                }
            }
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                println!("{host}: no report for {PATIENCE:?}");
                return false;
            }
        }
    }
}

fn runs_in_node(folder: &Path, echo: &str) -> bool {
    let program = concat!(env!("CARGO_MANIFEST_DIR"), "/browser/node.mjs");
    // Node.js 20 provides the class `WebSocket` only with this flag.
    let mut node = Command::new("node")
        .args(["--experimental-websocket", "--no-warnings", program])
        .arg(folder)
        .arg(echo)
        .stdout(Stdio::piped())
        .spawn()
        .expect("this needs Node.js");
    let stdout = node.stdout.take().expect("it is a pipe");
    let mut is_done = false;
    for line in BufReader::new(stdout).lines().map_while(Result::ok) {
        match &*line {
            "done" => is_done = true,
            line => println!("node: {line}"),
        }
    }
    // The process must end by itself, because no timer and no socket keeps it alive.
    is_done && node.wait().is_ok_and(|status| status.success())
}
