use std::io::{self, Write};

use fullduplex::{CloseEvent, Lost, MessageEvent, ReconnectingWebSocket, Undelivered};
use tokio::time::Instant;

use super::args::{Output, Printing};
use super::form::to_base64;
use crate::output::{JsonLine, hex};

/// Turns what happens into lines, for people or for machines.
#[derive(Debug, Clone)]
pub(super) struct Show {
    form: Form,
    opened: Instant,
}

#[derive(Debug, Clone, Copy)]
enum Form {
    /// An object for each event.
    Ndjson,
    /// A line for each message.
    Lines { binary: Output, indented: bool, timed: bool },
}

impl Show {
    pub(super) fn new(args: &Printing) -> Self {
        let lines =
            Form::Lines { binary: args.output, indented: args.json, timed: args.timestamps };
        let form = if args.ndjson { Form::Ndjson } else { lines };
        Self { form, opened: Instant::now() }
    }

    /// A connection is there.
    pub(super) fn opened(&mut self, socket: &ReconnectingWebSocket) -> Option<String> {
        self.opened = Instant::now();
        self.event(|| {
            JsonLine::event("open")
                .with("url", socket.url())
                .with("protocol", socket.protocol())
                .with("extensions", socket.extensions())
        })
    }

    /// A message, with the end of its line if it has one.
    pub(super) fn message(&self, message: &MessageEvent) -> Vec<u8> {
        let (text, bytes) = (message.data.as_text(), message.data.as_bytes());
        let Form::Lines { binary, indented, timed } = self.form else {
            let event = JsonLine::event("message").with("time", self.seconds());
            let event = match text {
                Some(text) => event.with("text", text),
                None => event.with("hex", hex(bytes)),
            };
            return format!("{event}\n").into_bytes();
        };
        let line = match (text, binary) {
            (Some(text), _) if indented => indent(text),
            (Some(text), _) => text.to_owned(),
            (None, Output::Hex) => hex(bytes),
            (None, Output::Base64) => to_base64(bytes),
            (None, Output::Raw) => return bytes.to_vec(),
        };
        if timed {
            return format!("{:.3} {line}\n", self.seconds()).into_bytes();
        }
        format!("{line}\n").into_bytes()
    }

    /// The connection is lost, and will be another one.
    pub(super) fn lost(&self, lost: &Lost) -> Option<String> {
        self.event(|| {
            JsonLine::event("lost")
                .with("code", lost.close.code)
                .with("reason", lost.close.reason.as_str())
                .with("clean", lost.close.was_clean)
                .with("cause", lost.cause.as_ref().map(ToString::to_string))
                .with("retry", lost.retry)
                .with("retry_in", lost.retry_in.as_secs_f64())
        })
    }

    /// Messages were not sent.
    pub(super) fn undelivered(&self, undelivered: &Undelivered) -> Option<String> {
        self.event(|| JsonLine::event("undelivered").with("count", undelivered.count))
    }

    /// It is over.
    pub(super) fn closed(&self, close: &CloseEvent) -> Option<String> {
        self.event(|| {
            JsonLine::event("close")
                .with("code", close.code)
                .with("reason", close.reason.as_str())
                .with("clean", close.was_clean)
        })
    }

    fn event(&self, event: impl FnOnce() -> JsonLine) -> Option<String> {
        matches!(self.form, Form::Ndjson).then(|| event().to_string())
    }

    /// Since the connection was opened, to the millisecond.
    fn seconds(&self) -> f64 {
        self.opened.elapsed().as_millis() as f64 / 1e3
    }
}

/// What a loss means for people.
pub(super) fn in_words(lost: &Lost) -> String {
    let why = match &lost.cause {
        Some(cause) => cause.to_string(),
        None => format!("the server closed with code {}", lost.close.code),
    };
    format!("{why}; again in {:.1} s", lost.retry_in.as_secs_f64())
}

/// JSON with one member in a line; what is no JSON as it is.
fn indent(text: &str) -> String {
    serde_json::from_str(text)
        .and_then(|value: serde_json::Value| serde_json::to_string_pretty(&value))
        .unwrap_or_else(|_| text.to_owned())
}

/// Writes what a machine or a pipe reads.
pub(super) fn print(bytes: &[u8]) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(bytes)?;
    stdout.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_indented_and_nothing_in_it_changes() {
        let text = r#"{"z":12345678901234567890123,"a":[1.10,"ä"]}"#;
        let indented =
            "{\n  \"z\": 12345678901234567890123,\n  \"a\": [\n    1.10,\n    \"ä\"\n  ]\n}";
        assert_eq!(indent(text), indented);
        assert_eq!(indent("no {json}"), "no {json}");
    }
}
