use std::fmt;
use std::io::{self, Write};

use anstyle::Style;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::escape::{escape, is_hostile};
use super::line::Line;

/// Output is written in pieces of about this size.
const PIECE: usize = 64 << 10;

/// A line for people is cut after this many bytes.
const LINE_MAX: usize = 16 << 10;

/// The beginning of the second and later lines of a message. With it, no line looks like a line of this
/// command.
pub(crate) const CONTINUED: &str = "| ";

/// The reader of the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reader {
    /// A terminal, with or without colours.
    Terminal { colours: bool },
    /// A file or another program.
    Pipe,
}

/// The position of a piece of JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum JsonPosition {
    /// Inside a string whose quotation marks are written separately.
    String,
    /// A complete document, already escaped as JSON requires.
    Document,
}

/// The last stage before stdout or stderr. All output passes through these methods. The methods for
/// terminals write only control characters that this command generates.
pub(crate) struct Pen {
    sink: Box<dyn Write + Send>,
    reader: Reader,
    buffer: Vec<u8>,
    failure: Option<io::Error>,
}

impl Pen {
    pub(super) fn new(sink: Box<dyn Write + Send>, reader: Reader) -> Self {
        Self { sink, reader, buffer: Vec::new(), failure: None }
    }

    /// Replaces the sink.
    pub(super) fn redirect(&mut self, sink: Box<dyn Write + Send>) {
        self.flush();
        self.sink = sink;
    }

    /// Flushes all output to the system.
    pub(super) fn flush(&mut self) {
        self.hand_over();
        if self.failure.is_none() {
            self.failure = self.sink.flush().err();
        }
    }

    pub(super) fn take_failure(&mut self) -> Option<io::Error> {
        self.failure.take()
    }

    /// Returns whether the output goes to a terminal.
    pub(crate) fn is_terminal(&self) -> bool {
        matches!(self.reader, Reader::Terminal { .. })
    }

    /// Writes a line for people, with its end.
    pub(crate) fn line(&mut self, line: &Line) {
        self.begin_line(line);
        self.push(b"\n");
    }

    /// Writes a line for people without its end.
    fn begin_line(&mut self, line: &Line) {
        let mut room = LINE_MAX;
        for (style, text) in &line.pieces {
            let cut = boundary(text, room);
            self.set(*style);
            escape(&text[..cut], |piece| self.push(piece.as_bytes()));
            if cut < text.len() {
                self.push("…".as_bytes());
            }
            self.reset(*style);
            room -= cut;
        }
    }

    /// Writes `before` and the text of a message. A pipe receives the text unchanged. In a terminal, the
    /// text has the style, and each line after the first begins with [`CONTINUED`].
    pub(crate) fn message(&mut self, before: &Line, style: Style, text: &str) {
        self.begin_line(before);
        match self.reader {
            Reader::Pipe => self.push(text.as_bytes()),
            Reader::Terminal { .. } => self.text(0, style, text),
        }
        self.push(b"\n");
    }

    /// Writes a binary message as a line of hex.
    pub(crate) fn hex_line(&mut self, before: &Line, bytes: &[u8]) {
        self.encoded_line(before, bytes, Self::hex);
    }

    /// Writes a binary message as a line of base64.
    pub(crate) fn base64_line(&mut self, before: &Line, bytes: &[u8]) {
        self.encoded_line(before, bytes, |pen, bytes| pen.push(STANDARD.encode(bytes).as_bytes()));
    }

    fn encoded_line(&mut self, before: &Line, bytes: &[u8], encode: impl Fn(&mut Self, &[u8])) {
        self.begin_line(before);
        // Three bytes are four digits of base64, so pieces of this length can be concatenated.
        for (number, bytes) in bytes.chunks(3 << 11).enumerate() {
            if number > 0 && self.is_terminal() {
                self.push(b"\n");
                self.continue_line(0);
            }
            encode(self, bytes);
        }
        self.push(b"\n");
    }

    /// Writes the lines of a message, each marked and indented.
    pub(crate) fn indented(&mut self, indent: usize, text: &str) {
        for line in text.lines() {
            self.continue_line(indent);
            self.text(indent, Style::new(), line);
            self.push(b"\n");
        }
    }

    fn text(&mut self, indent: usize, style: Style, text: &str) {
        for (number, line) in text.split('\n').enumerate() {
            let mut rest = line;
            let mut is_first = number == 0;
            loop {
                if !is_first {
                    self.push(b"\n");
                    self.continue_line(indent);
                }
                is_first = false;
                let (piece, behind) = rest.split_at(boundary(rest, LINE_MAX));
                self.set(style);
                for (number, part) in piece.split('\t').enumerate() {
                    if number > 0 {
                        self.push(b"\t");
                    }
                    escape(part, |part| self.push(part.as_bytes()));
                }
                self.reset(style);
                rest = behind;
                if rest.is_empty() {
                    break;
                }
            }
        }
    }

    fn continue_line(&mut self, indent: usize) {
        self.push(format!("{:indent$}{CONTINUED}", "").as_bytes());
    }

    /// Writes bytes unchanged to a pipe. In a terminal, invalid UTF-8 and control characters except
    /// line feed and tab are escaped.
    pub(crate) fn exact(&mut self, bytes: &[u8]) {
        if self.reader == Reader::Pipe {
            return self.push(bytes);
        }
        for chunk in bytes.utf8_chunks() {
            for (number, line) in chunk.valid().split('\n').enumerate() {
                if number > 0 {
                    self.push(b"\n");
                }
                for (number, part) in line.split('\t').enumerate() {
                    if number > 0 {
                        self.push(b"\t");
                    }
                    escape(part, |part| self.push(part.as_bytes()));
                }
            }
            for byte in chunk.invalid() {
                self.push(format!("\\x{byte:02x}").as_bytes());
            }
        }
    }

    /// Writes bytes as pairs of hex digits.
    pub(crate) fn hex(&mut self, bytes: &[u8]) {
        let mut digits = [[0; 2]; 512];
        for bytes in bytes.chunks(digits.len()) {
            for (pair, byte) in digits.iter_mut().zip(bytes) {
                *pair = hex_digits(*byte);
            }
            self.push(digits[..bytes.len()].as_flattened());
        }
    }

    /// Begins an event: a JSON object on a separate line.
    pub(crate) fn event(&mut self, name: &str) -> Event<'_> {
        self.push(b"{\"event\":");
        self.json_string(name);
        Event(self)
    }

    /// Writes a JSON object on a separate line.
    pub(crate) fn json(&mut self, value: &Value) {
        self.json_value(value);
        self.push(b"\n");
    }

    fn json_value(&mut self, value: &Value) {
        // In JSON, hostile characters occur only in strings, where escapes are allowed.
        self.json_text(&value.to_string(), JsonPosition::Document);
    }

    fn json_string(&mut self, text: &str) {
        self.push(b"\"");
        self.json_text(text, JsonPosition::String);
        self.push(b"\"");
    }

    /// Writes text that is part of JSON. Hostile characters become JSON escapes, so a program reads
    /// the same text and a terminal is not affected.
    fn json_text(&mut self, text: &str, within: JsonPosition) {
        let mut start = 0;
        for (at, character) in text.char_indices() {
            let is_escaped = matches!(character, '"' | '\\') && within == JsonPosition::String;
            if !is_escaped && !is_hostile(character) {
                continue;
            }
            self.push(&text.as_bytes()[start..at]);
            start = at + character.len_utf8();
            match character {
                '"' => self.push(b"\\\""),
                '\\' => self.push(b"\\\\"),
                '\n' => self.push(b"\\n"),
                '\r' => self.push(b"\\r"),
                '\t' => self.push(b"\\t"),
                _ => {
                    for unit in character.encode_utf16(&mut [0; 2]) {
                        let [[a, b], [c, d]] = unit.to_be_bytes().map(hex_digits);
                        self.push(&[b'\\', b'u', a, b, c, d]);
                    }
                }
            }
        }
        self.push(&text.as_bytes()[start..]);
    }

    /// Rewrites the current line.
    pub(crate) fn status(&mut self, line: &Line) {
        self.push(b"\r");
        self.begin_line(line);
        self.push(b"\x1b[K");
    }

    /// Removes the line that the user edits, and turns off bracketed paste.
    pub(crate) fn leave_prompt(&mut self) {
        self.push(b"\r\x1b[K\x1b[?2004l");
    }

    fn set(&mut self, style: Style) {
        if self.reader == (Reader::Terminal { colours: true }) {
            self.push(style.render().to_string().as_bytes());
        }
    }

    fn reset(&mut self, style: Style) {
        if self.reader == (Reader::Terminal { colours: true }) {
            self.push(style.render_reset().to_string().as_bytes());
        }
    }

    fn push(&mut self, mut bytes: &[u8]) {
        while self.buffer.len() + bytes.len() >= PIECE {
            let (now, later) = bytes.split_at(PIECE - self.buffer.len());
            self.buffer.extend_from_slice(now);
            self.hand_over();
            bytes = later;
        }
        self.buffer.extend_from_slice(bytes);
    }

    fn hand_over(&mut self) {
        if self.failure.is_none() {
            self.failure = self.sink.write_all(&self.buffer).err();
        }
        self.buffer.clear();
    }
}

impl fmt::Debug for Pen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pen").field("reader", &self.reader).finish_non_exhaustive()
    }
}

/// An event that is being written. Its members keep the order in which they are added.
#[derive(Debug)]
#[must_use = "call `end` to finish the event"]
pub(crate) struct Event<'a>(&'a mut Pen);

impl Event<'_> {
    /// Adds a member.
    pub(crate) fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.name(name);
        self.0.json_value(&value.into());
        self
    }

    /// Adds text, encoded in pieces.
    pub(crate) fn text(mut self, name: &str, text: &str) -> Self {
        self.name(name);
        self.0.json_string(text);
        self
    }

    /// Adds bytes in hex, encoded in pieces.
    pub(crate) fn hex(mut self, name: &str, bytes: &[u8]) -> Self {
        self.name(name);
        self.0.push(b"\"");
        self.0.hex(bytes);
        self.0.push(b"\"");
        self
    }

    /// Ends the event and its line.
    pub(crate) fn end(self) {
        self.0.push(b"}\n");
    }

    fn name(&mut self, name: &str) {
        self.0.push(b",");
        self.0.json_string(name);
        self.0.push(b":");
    }
}

fn hex_digits(byte: u8) -> [u8; 2] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]
}

/// Returns the last character boundary at or before `at`.
fn boundary(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::super::{assert_harmless, piped, seen};
    use super::*;

    #[test]
    fn an_event_keeps_the_order_of_its_members() {
        let event = piped(|pen| pen.event("x").with("b", "\"\n").with("a", 1).hex("c", &[1]).end());
        assert_eq!(event, "{\"event\":\"x\",\"b\":\"\\\"\\n\",\"a\":1,\"c\":\"01\"}\n");
    }

    #[test]
    fn long_lines_of_a_message_are_broken_and_marked() {
        let line = "x".repeat(2 * LINE_MAX + 1);
        let shown = seen(|pen| pen.message(&Line::from("< "), Style::new(), &line));
        assert_eq!(shown.lines().map(|line| line.len() - 2).sum::<usize>(), line.len());
        assert_harmless(&shown, &["< x", "| x"]);
        assert_eq!(piped(|pen| pen.message(&Line::new(), Style::new(), &line)), line + "\n");
    }

    #[test]
    fn a_line_that_is_too_long_is_cut() {
        let line = Line::from("ä".repeat(LINE_MAX));
        assert!(seen(|pen| pen.line(&line)).ends_with("ä…\n"));
        assert!(seen(|pen| pen.line(&line)).len() <= LINE_MAX + 4);
    }

    /// FK-03: text with hostile pieces of every kind.
    fn hostile() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            ".{0,4}",
            prop::sample::select(vec![
                "\x1b[2J",
                "\x1b]0;x\x07",
                "\u{9b}1m",
                "\u{202e}",
                "\u{2066}",
                "\u{200b}",
                "\u{2028}",
                "\n",
                "\r",
                "\t",
                "\x7f",
                "\0",
                "\u{feff}",
                "fdx: ",
                "< ",
                "| ",
                "\u{e0041}",
            ])
            .prop_map(str::to_owned),
        ];
        prop::collection::vec(piece, 0..20).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        /// FK-03
        #[test]
        fn hostile_text_is_escaped_in_a_terminal(text in hostile(), bytes in prop::collection::vec(any::<u8>(), 0..50)) {
            let before = Line::from("< ");
            let line = Line::from("fdx: ").plain(&text).styled(Style::new().bold(), &text);
            assert_harmless(&seen(|pen| pen.line(&line)), &["fdx: "]);
            prop_assert_eq!(seen(|pen| pen.line(&line)).lines().count(), 1);
            assert_harmless(&seen(|pen| pen.message(&before, Style::new(), &text)), &["< ", "| "]);
            assert_harmless(&seen(|pen| pen.indented(4, &text)), &["    | "]);
            assert_harmless(&seen(|pen| pen.exact(text.as_bytes())), &[""]);
            assert_harmless(&seen(|pen| pen.exact(&bytes)), &[""]);
            assert_harmless(&seen(|pen| pen.hex_line(&before, &bytes)), &["< "]);
            assert_harmless(&seen(|pen| pen.base64_line(&before, &bytes)), &["< "]);
            let event = |pen: &mut Pen| pen.event(&text).with(&text, &*text).text("text", &text).end();
            assert_harmless(&seen(event), &["{"]);
            assert_harmless(&seen(|pen| pen.json(&json!({ "a": text }))), &["{"]);
        }

        /// FK-03: with colours, only our own sequences are added.
        #[test]
        fn colours_are_all_that_is_added(text in hostile()) {
            let style = anstyle::AnsiColor::Red.on_default();
            let coloured = |pen: &mut Pen| pen.message(&Line::of(style, "< "), style, &text);
            let shown = super::super::drawn(Reader::Terminal { colours: true }, coloured);
            let (set, reset) = (style.render().to_string(), style.render_reset().to_string());
            let without = shown.replace(&set, "").replace(&reset, "");
            prop_assert_eq!(without, seen(coloured));
        }

        /// FK-03: a pipe receives exactly what was sent, including U+007F.
        #[test]
        fn a_pipe_reads_exactly_what_was_sent(text in hostile(), bytes in prop::collection::vec(any::<u8>(), 0..50)) {
            let line = piped(|pen| pen.message(&Line::new(), Style::new(), &text));
            prop_assert_eq!(line, format!("{text}\n"));
            prop_assert_eq!(piped(|pen| pen.exact(text.as_bytes())), text.clone());
            let event = piped(|pen| pen.event("e").with("a", &*text).text("b", &text).hex("c", &bytes).end());
            let event: Value = serde_json::from_str(&event).unwrap();
            let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            prop_assert_eq!(event, json!({ "event": "e", "a": text, "b": text, "c": hex }));
        }
    }
}
