//! A person in a page and a person in a terminal talk in one room: `examples/everywhere`.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;

use crate::files::Files;
use crate::window::Browser;
use crate::{PATIENCE, finishes};

/// A process that ends when this is dropped.
struct Process(Child);

/// Returns whether both read what the other one says. `programs` has `fdx` and the chat for the
/// terminal.
pub(crate) fn talk(browser: Browser, files: &Files, programs: &Path) -> bool {
    let origin = format!("http://127.0.0.1:{}", files.port);
    let mut room = Command::new(programs.join("fdx"));
    room.args(["listen", "127.0.0.1:0", "--broadcast", "--origin", &origin]);
    let mut room = start(room.stdin(Stdio::null()).stdout(Stdio::piped()));
    let url = lines(room.0.stdout.take()).recv_timeout(PATIENCE).expect("fdx prints its address");
    let url = url.trim_start_matches("listening at ");

    let mut terminal = Command::new(programs.join("everywhere"));
    terminal.args([url, "Bob"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut terminal = start(&mut terminal);
    let mut stdin = terminal.0.stdin.take().expect("it is a pipe");
    let printed = lines(terminal.0.stdout.take());
    let prints = |line: &str| printed.recv_timeout(PATIENCE).is_ok_and(|printed| printed == line);

    if !prints("* connected") {
        return failed("the terminal did not connect");
    }
    let Some(_window) = browser.open(&format!("{origin}/chat.html?{url}")) else {
        return true; // it is not installed
    };
    if !finishes_first_step(files) || !prints("Ada: hello from <b>the page</b>") {
        return failed("the terminal did not print what the page said");
    }
    stdin.write_all(b"hello from the terminal\n").expect("the terminal reads");
    if !finishes(&format!("{browser}, chat.html"), &files.reports) {
        return false;
    }
    drop(stdin);
    let has_left = prints("* you left") && terminal.0.wait().is_ok_and(|status| status.success());
    println!("terminal: {}", if has_left { "ok leaves" } else { "did not end" });
    has_left
}

fn finishes_first_step(files: &Files) -> bool {
    let report = files.reports.recv_timeout(PATIENCE);
    println!("chat.html: {}", report.as_deref().unwrap_or("no report"));
    report.is_ok_and(|report| report.starts_with("ok "))
}

fn failed(reason: &str) -> bool {
    println!("chat: {reason}");
    false
}

fn start(command: &mut Command) -> Process {
    Process(command.spawn().expect("cargo has built the program"))
}

/// Reads lines on a thread, so that the caller can stop waiting.
fn lines(output: Option<impl Read + Send + 'static>) -> mpsc::Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    let output = BufReader::new(output.expect("it is a pipe"));
    thread::spawn(move || {
        for line in output.lines().map_while(Result::ok) {
            sender.send(line).ok();
        }
    });
    receiver
}

impl Drop for Process {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}
