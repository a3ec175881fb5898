//! What happens, for people.

use std::fmt::Write as _;
use std::time::Duration;

use anstyle::{AnsiColor, Style};
use fullduplex_net::proto::{Observed, Opcode, Role};
use http::header::{
    HeaderMap, HeaderName, LOCATION, ORIGIN, SEC_WEBSOCKET_EXTENSIONS, SEC_WEBSOCKET_PROTOCOL,
};

use super::happening::Happening;
use super::head::all;
use super::lane::Passed;
use super::screen::{Form, When};
use crate::output::harmless;

/// How many bytes stand in a line of a dump.
const DUMPED: usize = 16;

/// What happens, in one line or more.
pub(super) fn lines(when: When, happening: &Happening<'_>, form: Form) -> String {
    let mut lines = Lines { when, form, text: String::new() };
    match happening {
        Happening::Request(peer, request) => {
            let line = format!("{} {}  {DIM}from {peer}{DIM:#}", request.method(), request.uri());
            lines.begin(Some(Role::Client), &line);
            lines.headers(request.headers(), &OFFERED);
        }
        Happening::Response(response) => {
            lines.begin(Some(Role::Server), &response.status().to_string());
            lines.headers(response.headers(), &ANSWERED);
        }
        Happening::Frame(sender, frame) => lines.frame(*sender, frame),
        Happening::End(sender, cut) => {
            lines.begin(Some(*sender), "end");
            if let Some(cut) = cut {
                lines.note(&format!(
                    "within a {} frame, of which {} of {} bytes came",
                    kind_of(cut.opcode),
                    cut.passed,
                    cut.payload_len
                ));
            }
        }
        Happening::Broken(end, error) => {
            lines.begin(Some(*end), &format!("{BAD}broken: {error}{BAD:#}"));
        }
        Happening::Failed(reason) => lines.begin(None, &format!("{BAD}{reason}{BAD:#}")),
        Happening::Over(client, server) => {
            let line = format!("over; → {}, ← {}", amount(*client), amount(*server));
            lines.begin(None, &line);
        }
    }
    lines.text
}

/// How much has passed.
pub(super) fn amount(passed: Passed) -> String {
    let s = if passed.frames == 1 { "" } else { "s" };
    format!("{} frame{s} in {}", passed.frames, size(passed.bytes))
}

/// What the four bits of a frame's kind are called.
pub(super) fn kind_of(opcode: u8) -> &'static str {
    match Opcode::from_bits(opcode) {
        Some(Opcode::Continuation) => "continuation",
        Some(Opcode::Text) => "text",
        Some(Opcode::Binary) => "binary",
        Some(Opcode::Close) => "close",
        Some(Opcode::Ping) => "ping",
        Some(Opcode::Pong) => "pong",
        None => "reserved",
    }
}

/// The content of a frame of a text message, as far as it is kept and readable: a fragment may begin
/// and end within a character. Also that of another frame, if all of it is text.
pub(super) fn text_of(frame: &Observed) -> Option<String> {
    let is_text = match frame.message {
        Some(opcode) => opcode == Opcode::Text,
        None => frame.opcode != Opcode::Close as u8 && str::from_utf8(&frame.content).is_ok(),
    };
    is_text.then(|| String::from_utf8_lossy(&frame.content).into_owned())
}

struct Lines {
    when: When,
    form: Form,
    text: String,
}

impl Lines {
    /// The first line, with what all of them have.
    fn begin(&mut self, sender: Option<Role>, line: &str) {
        let When { connection, time, since } = self.when;
        let color = COLORS[connection as usize % COLORS.len()].on_default();
        let arrow = match sender {
            Some(Role::Client) => format!("{CLIENT}→{CLIENT:#}"),
            Some(Role::Server) => format!("{SERVER}←{SERVER:#}"),
            None => " ".into(),
        };
        let time = format!("{:.3} s", time.as_secs_f64());
        let since = format!("+{}", short(since));
        // Writing to a String cannot fail.
        write!(
            self.text,
            "{color}{connection:>3}{color:#} {DIM}{time:>10} {since:>9}{DIM:#} {arrow} {line}"
        )
        .ok();
    }

    /// A further line, below the first.
    fn note(&mut self, note: &str) {
        write!(self.text, "\n{:INDENT$}{note}", "").ok();
    }

    /// Those headers that say something about the WebSocket; all of them if all is to be shown.
    fn headers(&mut self, headers: &HeaderMap, telling: &[(HeaderName, &str)]) {
        if self.form == Form::Full {
            for (name, value) in headers {
                let value = harmless(&String::from_utf8_lossy(value.as_bytes()));
                self.note(&format!("{DIM}{name}:{DIM:#} {value}"));
            }
            return;
        }
        for (name, called) in telling {
            if let Some(value) = all(headers, name.clone()) {
                self.note(&format!("{DIM}{called}{DIM:#} {}", in_one_line(&value)));
            }
        }
    }

    fn frame(&mut self, sender: Role, frame: &Observed) {
        let mut line = format!("{DIM}{}{DIM:#} {:<12}", flags(frame), kind_of(frame.opcode));
        let length = match frame.compressed {
            true => format!("{} from {}", size(frame.content_len), size(frame.payload_len)),
            false => size(frame.payload_len),
        };
        write!(line, " {length:>9}").ok();
        // What the terminal shows of the line so far.
        let width = INDENT + FLAGS_AND_KIND + length.chars().count().max(9);
        let (content, dump) = self.content(frame, width);
        if !content.is_empty() {
            write!(line, "  {content}").ok();
        }
        self.begin(Some(sender), &line);
        dump.iter().for_each(|line| self.note(line));
        if let Some(violation) = &frame.violation {
            self.note(&format!("{BAD}! {violation}{BAD:#}"));
        }
        if frame.after_close {
            self.note(&format!("{BAD}! it follows a Close: nobody gives it a meaning{BAD:#}"));
        }
    }

    /// What stands behind a line of this width, and what below it.
    fn content(&self, frame: &Observed, width: usize) -> (String, Vec<String>) {
        if frame.opcode == Opcode::Close as u8 {
            return (close_of(frame), Vec::new());
        }
        let text = text_of(frame);
        let is_cut = frame.content.len() as u64 != frame.content_len;
        match (self.form, text) {
            (Form::Lines(most), text) => {
                let room = most.saturating_sub(width + 2).max(16);
                (shortened(text.as_deref(), &frame.content, is_cut, room), Vec::new())
            }
            (_, Some(text)) if text.lines().count() <= 1 && !is_cut => {
                (harmless(&text), Vec::new())
            }
            (_, Some(text)) => (String::new(), text.lines().map(harmless).collect()),
            (_, None) => (String::new(), dump(&frame.content)),
        }
    }
}

/// The bits of a header: F for FIN, 1, 2, 3 for the reserved ones, M for masked.
fn flags(frame: &Observed) -> String {
    let bits = [
        (frame.fin, 'F'),
        (frame.reserved & 0b100 != 0, '1'),
        (frame.reserved & 0b010 != 0, '2'),
        (frame.reserved & 0b001 != 0, '3'),
        (frame.mask.is_some(), 'M'),
    ];
    bits.map(|(is_set, letter)| if is_set { letter } else { '-' }).iter().collect()
}

fn close_of(frame: &Observed) -> String {
    let Some((code, reason)) = frame.content.split_first_chunk() else {
        return String::new();
    };
    let code = u16::from_be_bytes(*code);
    match reason {
        [] => code.to_string(),
        _ => format!("{code} \"{}\"", in_one_line(&String::from_utf8_lossy(reason))),
    }
}

/// As much of the content as there is room for.
fn shortened(text: Option<&str>, content: &[u8], is_cut: bool, room: usize) -> String {
    let whole = match text {
        Some(text) => in_one_line(text),
        None => spaced(&content[..content.len().min(room.div_ceil(3))]),
    };
    let left_out = is_cut || text.is_none() && content.len() > room.div_ceil(3);
    if !left_out && whole.chars().count() <= room {
        return whole;
    }
    let mut beginning: String = whole.chars().take(room.saturating_sub(1)).collect();
    beginning.push('…');
    beginning
}

fn in_one_line(text: &str) -> String {
    harmless(text).replace('\n', "\\n").replace('\t', "\\t")
}

fn spaced(bytes: &[u8]) -> String {
    let digits: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    digits.join(" ")
}

/// Bytes with their position and the letters among them.
fn dump(bytes: &[u8]) -> Vec<String> {
    let line = |(number, bytes): (usize, &[u8])| {
        let letter = |byte: &u8| if byte.is_ascii_graphic() { char::from(*byte) } else { '.' };
        let letters: String = bytes.iter().map(letter).collect();
        format!("{:06x}  {:<47}  {letters}", number * DUMPED, spaced(bytes))
    };
    bytes.chunks(DUMPED).enumerate().map(line).collect()
}

fn size(bytes: u64) -> String {
    match bytes {
        0..10_000 => format!("{bytes} B"),
        10_000..10_000_000 => format!("{:.1} KiB", bytes as f64 / 1024.0),
        _ => format!("{:.1} MiB", bytes as f64 / (1024.0 * 1024.0)),
    }
}

fn short(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    if seconds < 0.0995 {
        format!("{:.1} ms", seconds * 1e3)
    } else if seconds < 0.9995 {
        format!("{:.0} ms", seconds * 1e3)
    } else {
        format!("{seconds:.1} s")
    }
}

/// Where what stands below a line begins.
const INDENT: usize = 27;
/// The characters of the flags and the kind.
const FLAGS_AND_KIND: usize = 5 + 1 + 12 + 1;

const OFFERED: [(HeaderName, &str); 3] = [
    (ORIGIN, "origin"),
    (SEC_WEBSOCKET_PROTOCOL, "subprotocols"),
    (SEC_WEBSOCKET_EXTENSIONS, "extensions"),
];
const ANSWERED: [(HeaderName, &str); 3] = [
    (SEC_WEBSOCKET_PROTOCOL, "subprotocol"),
    (SEC_WEBSOCKET_EXTENSIONS, "extensions"),
    (LOCATION, "location"),
];

const DIM: Style = Style::new().dimmed();
const BAD: Style = AnsiColor::Red.on_default().bold();
const CLIENT: Style = AnsiColor::Green.on_default().bold();
const SERVER: Style = AnsiColor::Magenta.on_default().bold();
const COLORS: [AnsiColor; 6] = [
    AnsiColor::Cyan,
    AnsiColor::Yellow,
    AnsiColor::Blue,
    AnsiColor::BrightGreen,
    AnsiColor::BrightMagenta,
    AnsiColor::BrightCyan,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_is_shortened_to_its_room() {
        assert_eq!(shortened(Some("hello"), b"hello", false, 5), "hello");
        assert_eq!(shortened(Some("hello!"), b"hello!", false, 5), "hell…");
        assert_eq!(shortened(Some("hel"), b"hel", true, 5), "hel…");
        assert_eq!(shortened(Some("a\nb"), b"a\nb", false, 9), "a\\nb");
        assert_eq!(shortened(None, &[1, 2, 255], false, 8), "01 02 ff");
        assert_eq!(shortened(None, &[1, 2, 255, 4], false, 8), "01 02 f…");
    }

    #[test]
    fn numbers_have_units() {
        assert_eq!(
            [0, 9_999, 10_240, 20 << 20].map(size),
            ["0 B", "9999 B", "10.0 KiB", "20.0 MiB"]
        );
        let times = [40, 1_500, 99_600, 999_600, 61_000_000].map(Duration::from_micros);
        assert_eq!(times.map(short), ["0.0 ms", "1.5 ms", "100 ms", "1.0 s", "61.0 s"]);
    }

    #[test]
    fn a_dump_has_positions_and_letters() {
        let lines = dump(b"0123456789abcdef\xFFz");
        assert_eq!(
            lines[0],
            "000000  30 31 32 33 34 35 36 37 38 39 61 62 63 64 65 66  0123456789abcdef"
        );
        assert_eq!(lines[1], format!("000010  {:<47}  .z", "ff 7a"));
    }
}
