#![allow(clippy::print_stdout, clippy::print_stderr, reason = "the chat is shown in the terminal")]

use std::io;

use crate::chat::{Chat, Line};

/// Joins the room of the command line, and sends each line of stdin.
pub(crate) fn run() {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let [url, name] = &*arguments else {
        eprintln!("usage: everywhere URL NAME");
        return;
    };
    let chat = match Chat::join(url, name, |line| println!("{}", printable(&line))) {
        Ok(chat) => chat,
        Err(error) => return eprintln!("could not join {url}: {error}"),
    };
    for text in io::stdin().lines().map_while(Result::ok) {
        // The terminal has shown what was typed.
        if let note @ Line::Note(_) = chat.say(&text) {
            println!("{note}");
        }
    }
    chat.leave();
    chat.wait();
}

/// Replaces control characters, because other members could send commands to the terminal.
fn printable(line: &Line) -> String {
    line.to_string().replace(char::is_control, "\u{fffd}")
}
