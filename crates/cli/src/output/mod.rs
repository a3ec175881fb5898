//! Lines for whoever reads stdout or stderr.

use std::error::Error;
use std::fmt;
use std::io::{self, Write};
use std::sync::{Mutex, PoisonError};

use serde_json::Value;
use tokio::sync::Notify;

use crate::exit::Failure;

/// Nobody reads stdout any more: the end of a pipe, which ends a command without a word.
#[derive(Debug)]
pub(crate) struct NobodyReads;

impl fmt::Display for NobodyReads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("nobody reads stdout")
    }
}

impl Error for NobodyReads {}

/// Stdout, for a command of many tasks: one of them writes, another learns that it failed.
#[derive(Debug, Default)]
pub(crate) struct Stdout {
    failure: Mutex<Option<io::Error>>,
    failed: Notify,
}

impl Stdout {
    /// Writes a line, without its colours where stdout is no terminal.
    pub(crate) fn print(&self, line: impl fmt::Display) {
        let mut stdout = anstream::stdout().lock();
        self.note(writeln!(stdout, "{line}").and_then(|()| stdout.flush()));
    }

    /// Writes a line of others, with all that is in it.
    pub(crate) fn print_as_it_is(&self, line: &str) {
        let mut stdout = io::stdout().lock();
        self.note(writeln!(stdout, "{line}").and_then(|()| stdout.flush()));
    }

    /// Waits until something could not be written, and returns what that means for the command.
    pub(crate) async fn until_failed(&self) -> Failure {
        loop {
            let failed = self.failed.notified();
            let failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner).take();
            match failure {
                Some(error) => return not_written(error),
                None => failed.await,
            }
        }
    }

    fn note(&self, written: io::Result<()>) {
        if let Err(error) = written {
            *self.failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
            self.failed.notify_waiters();
        }
    }
}

/// An event for machines: JSON in one line, its members in the order in which they are added.
#[derive(Debug)]
pub(crate) struct JsonLine(String);

impl JsonLine {
    /// An event of this name.
    pub(crate) fn event(name: &str) -> Self {
        Self(format!("{{\"event\":{}", Value::from(name)))
    }

    /// Adds a member.
    pub(crate) fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.0 += &format!(",{}:{}", Value::from(name), value.into());
        self
    }
}

impl fmt::Display for JsonLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}}}", self.0)
    }
}

/// What it means for a command that it cannot write.
pub(crate) fn not_written(error: io::Error) -> Failure {
    match error.kind() {
        io::ErrorKind::BrokenPipe => NobodyReads.into(),
        _ => format!("stdout: {error}").into(),
    }
}

/// Writes the text of a command that says all in the end, without its colours where stdout is no terminal.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    let mut stdout = anstream::stdout().lock();
    let written = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
    written.map_err(not_written)
}

/// Bytes as hex digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use fmt::Write as _;
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut hex, byte| {
        // Writing to a String cannot fail.
        write!(hex, "{byte:02x}").ok();
        hex
    })
}

/// Text of others, for a terminal: characters that would move its cursor or change its colours are
/// written as escapes.
pub(crate) fn harmless(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut safe, character| {
        match character {
            '\n' | '\t' => safe.push(character),
            _ if character.is_control() => safe.extend(character.escape_default()),
            _ => safe.push(character),
        }
        safe
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_keeps_its_order() {
        let event = JsonLine::event("x").with("b", "\"\n").with("a", 1);
        assert_eq!(event.to_string(), r#"{"event":"x","b":"\"\n","a":1}"#);
    }

    #[test]
    fn a_terminal_is_not_told_to_do_things() {
        assert_eq!(harmless("a\tb\nü"), "a\tb\nü");
        assert_eq!(harmless("\x1b[2Jx\u{9b}\r"), "\\u{1b}[2Jx\\u{9b}\\r");
    }
}
