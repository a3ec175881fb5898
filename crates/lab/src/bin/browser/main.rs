//! Runs programs in WebAssembly in browsers and in Node.js: `browser FOLDER PROGRAMS`. `cargo xtask browser`
//! builds both folders: the first has WebAssembly and pages, the second has `fdx` and the chat for the terminal.
#![allow(clippy::print_stdout, reason = "talking is what a command is for")]

mod chat;
mod files;
mod window;

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use fullduplex_lab::echo;

use crate::files::Files;
use crate::window::Browser;

/// The longest time that a host may take until its next report.
const PATIENCE: Duration = Duration::from_secs(120);

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let (Some(folder), Some(programs)) = (arguments.next(), arguments.next()) else {
        panic!("usage: browser FOLDER PROGRAMS");
    };
    let folder = Path::new(&folder);
    let echo = format!("ws://127.0.0.1:{}/", echo::start(None));
    let files = Files::serve(folder);
    let mut has_failed = false;
    for browser in [Browser::Chromium, Browser::Firefox] {
        for page in ["page.html", "worker.html"] {
            let url = format!("http://127.0.0.1:{}/{page}?{echo}", files.port);
            match browser.open(&url) {
                Some(_window) => {
                    has_failed |= !finishes(&format!("{browser}, {page}"), &files.reports)
                }
                None => {
                    println!("{browser}, {page}: left out, because the browser is not installed")
                }
            }
        }
        has_failed |= !chat::talk(browser, &files, Path::new(&programs));
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
                if !report.starts_with("ok ") && !report.starts_with("left out ") {
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
