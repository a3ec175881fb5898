use fullduplex::{CloseEvent, Lost, MessageEvent, Undelivered};
use tokio::time::Instant;

use anstyle::{AnsiColor, Style};

use super::args::{BinaryForm, Printing};
use crate::output::{Line, Pen};
use crate::secrets::Secrets;

/// Writes the events of a connection, as text or as JSON.
#[derive(Debug, Clone, Copy)]
pub(super) struct Show {
    form: Form,
    opened: Instant,
    secrets: Secrets,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// An object of JSON for each event.
    Ndjson,
    /// A line for each message.
    Lines { binary: BinaryForm, indented: bool, timed: bool },
}

/// The data of the event `open`.
#[derive(Debug, Clone)]
pub(super) struct Opened {
    pub(super) url: String,
    pub(super) protocol: String,
    pub(super) extensions: String,
}

/// Longer text is not parsed as JSON, because the parsed form takes many times its memory.
const INDENTED_MAX: usize = 1 << 20;

impl Show {
    pub(super) fn new(args: &Printing, secrets: Secrets) -> Self {
        let lines =
            Form::Lines { binary: args.output, indented: args.json, timed: args.timestamps };
        let form = if args.ndjson { Form::Ndjson } else { lines };
        Self { form, opened: Instant::now(), secrets }
    }

    /// Returns whether events other than messages are written too.
    pub(super) fn has_events(&self) -> bool {
        self.form == Form::Ndjson
    }

    /// Restarts the clock for a new connection.
    pub(super) fn restart(&mut self) {
        self.opened = Instant::now();
    }

    pub(super) fn opened(&self, pen: &mut Pen, opened: &Opened) {
        pen.event("open")
            .with("url", self.secrets.url(&opened.url))
            .with("protocol", self.secrets.subprotocols(&opened.protocol))
            .with("extensions", &*opened.extensions)
            .end();
    }

    /// Writes a message, which arrived at `now`. In a terminal, a mark precedes it.
    pub(super) fn message(&self, pen: &mut Pen, message: &MessageEvent, now: Instant) {
        let (text, bytes) = (message.data.as_text(), message.data.as_bytes());
        let seconds = now.saturating_duration_since(self.opened).as_millis() as f64 / 1e3;
        let Form::Lines { binary, indented, timed } = self.form else {
            let event = pen.event("message").with("time", seconds);
            return match text {
                Some(text) => event.text("text", text).end(),
                None => event.hex("hex", bytes).end(),
            };
        };
        let mut before = Line::new();
        if pen.is_terminal() {
            before = before.styled(RECEIVED, "< ");
        }
        if timed {
            before = before.plain(format_args!("{seconds:.3} "));
        }
        match (text, binary) {
            (Some(text), _) if indented => pen.message(&before, RECEIVED, &indent(text)),
            (Some(text), _) => pen.message(&before, RECEIVED, text),
            (None, BinaryForm::Hex) => pen.hex_line(&before, bytes),
            (None, BinaryForm::Base64) => pen.base64_line(&before, bytes),
            (None, BinaryForm::Raw) if pen.is_terminal() => {
                pen.message(&before, RECEIVED, &String::from_utf8_lossy(bytes));
            }
            (None, BinaryForm::Raw) => pen.exact(bytes),
        }
    }

    pub(super) fn lost(&self, pen: &mut Pen, lost: &Lost) {
        pen.event("lost")
            .with("code", lost.close.code)
            .with("reason", lost.close.reason.as_str())
            .with("clean", lost.close.was_clean)
            .with("cause", lost.cause.as_ref().map(|cause| self.secrets.text(&cause.to_string())))
            .with("retry", lost.retry)
            .with("retry_in", lost.retry_in.as_secs_f64())
            .end();
    }

    pub(super) fn undelivered(&self, pen: &mut Pen, undelivered: &Undelivered) {
        pen.event("undelivered").with("count", undelivered.count).end();
    }

    pub(super) fn closed(&self, pen: &mut Pen, close: &CloseEvent) {
        pen.event("close")
            .with("code", close.code)
            .with("reason", close.reason.as_str())
            .with("clean", close.was_clean)
            .end();
    }
}

/// Describes why a connection was lost, and when the next attempt follows.
pub(super) fn describe_loss(lost: &Lost, secrets: Secrets) -> String {
    let why = match &lost.cause {
        Some(cause) => secrets.text(&cause.to_string()),
        None => format!("the server closed with code {}", lost.close.code),
    };
    format!("{why}; reconnecting in {:.1} s", lost.retry_in.as_secs_f64())
}

/// Returns JSON with one member per line. Other text is returned unchanged.
fn indent(text: &str) -> String {
    if text.len() > INDENTED_MAX {
        return text.to_owned();
    }
    serde_json::from_str(text)
        .and_then(|value: serde_json::Value| serde_json::to_string_pretty(&value))
        .unwrap_or_else(|_| text.to_owned())
}

const RECEIVED: Style = AnsiColor::Green.on_default();

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
