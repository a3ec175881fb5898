//! Lines for whoever reads stdout or stderr.

use std::error::Error;
use std::fmt;
use std::io::{self, Write};

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

/// Writes a line to stdout, without its colours where that is no terminal.
pub(crate) fn print_line(line: impl fmt::Display) -> io::Result<()> {
    let mut stdout = anstream::stdout().lock();
    writeln!(stdout, "{line}")?;
    stdout.flush()
}

/// What it means for a command that it could not write to stdout.
pub(crate) fn unwritten(error: &io::Error) -> Failure {
    match error.kind() {
        io::ErrorKind::BrokenPipe => NobodyReads.into(),
        _ => format!("stdout: {error}").into(),
    }
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
    fn a_terminal_is_not_told_to_do_things() {
        assert_eq!(harmless("a\tb\nü"), "a\tb\nü");
        assert_eq!(harmless("\x1b[2Jx\u{9b}\r"), "\\u{1b}[2Jx\\u{9b}\\r");
    }
}
