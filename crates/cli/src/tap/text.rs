//! Events as text.

use std::fmt::Display;
use std::time::Duration;

use anstyle::{AnsiColor, Style};
use fullduplex_net::proto::handshake::ConnectProtocol;
use fullduplex_net::proto::{Observed, Opcode, Role};
use http::header::{
    HeaderMap, HeaderName, LOCATION, ORIGIN, SEC_WEBSOCKET_EXTENSIONS, SEC_WEBSOCKET_PROTOCOL,
};

use super::event::{EventTime, TapEvent, Totals};
use super::frame::{kind_of, text_of};
use crate::output::{Line, Pen, escaped, to_hex};
use crate::secrets::Secrets;

/// The number of bytes on each line of a dump.
const DUMPED: usize = 16;

/// How much of an event is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Layout {
    /// A line of at most this many characters, and lines for the relevant headers.
    Short(usize),
    /// All headers, and all of the content below the line.
    Full,
}

/// Writes an event, on one or more lines.
pub(super) fn show(
    pen: &mut Pen,
    when: EventTime,
    event: &TapEvent,
    layout: Layout,
    secrets: Secrets,
) {
    let mut lines = Lines { pen, when, layout, secrets };
    match event {
        TapEvent::Request(peer, request) => {
            let target = secrets.target(&request.uri().to_string());
            let protocol = match request.extensions().get::<ConnectProtocol>() {
                Some(protocol) => format!(" ({})", protocol.as_str()),
                None => String::new(),
            };
            let line = Line::from(format!("{} {target}{protocol}  ", request.method()));
            lines.begin(Some(Role::Client), line.styled(DIM, format_args!("from {peer}")));
            lines.headers(request.headers(), &OFFERED);
        }
        TapEvent::Response(response) => {
            lines.begin(Some(Role::Server), response.status().into());
            lines.headers(response.headers(), &ANSWERED);
        }
        TapEvent::Frame(sender, frame) => lines.frame(*sender, frame),
        TapEvent::End(sender, cut) => {
            lines.begin(Some(*sender), "end".into());
            if let Some(cut) = cut {
                lines.note(Line::from(format!(
                    "within a {} frame, of which {} of {} bytes passed",
                    kind_of(cut.opcode),
                    cut.passed,
                    cut.payload_len
                )));
            }
        }
        TapEvent::Broken(end, error) => {
            lines.begin(Some(*end), Line::of(BAD, format_args!("broken: {error}")));
        }
        TapEvent::GoAway(end, reason) => {
            lines.begin(Some(*end), format!("GOAWAY: {reason}").into());
        }
        TapEvent::Failed(reason) => lines.begin(None, Line::of(BAD, secrets.text(reason))),
        TapEvent::Over(client, server) => {
            let line = format!("over; → {}, ← {}", amount(*client), amount(*server));
            lines.begin(None, line.into());
        }
    }
}

/// Formats the totals of a direction.
pub(super) fn amount(totals: Totals) -> String {
    let s = if totals.frames == 1 { "" } else { "s" };
    format!("{} frame{s} in {}", totals.frames, size(totals.bytes))
}

struct Lines<'a> {
    pen: &'a mut Pen,
    when: EventTime,
    layout: Layout,
    secrets: Secrets,
}

impl Lines<'_> {
    /// Writes the first line: the connection with its stream, the times, the direction, and `line`.
    fn begin(&mut self, sender: Option<Role>, line: Line) {
        let EventTime { connection, stream, time, since } = self.when;
        // A client has every second number.
        let color = connection as usize + stream.map_or(0, |stream| stream as usize / 2);
        let color = COLORS[color % COLORS.len()].on_default();
        let name = match stream {
            Some(stream) => format!("{connection}/{stream}"),
            None => connection.to_string(),
        };
        let (arrow_style, arrow) = match sender {
            Some(Role::Client) => (CLIENT, "→"),
            Some(Role::Server) => (SERVER, "←"),
            None => (Style::new(), " "),
        };
        let time = format!("{:.3} s", time.as_secs_f64());
        let since = format!("+{}", short(since));
        let first = Line::of(color, format_args!("{name:>3}"))
            .plain(" ")
            .styled(DIM, format_args!("{time:>10} {since:>9}"))
            .plain(" ")
            .styled(arrow_style, arrow)
            .plain(" ")
            .and(line);
        self.pen.line(&first);
    }

    /// Writes an additional line below the first.
    fn note(&mut self, note: Line) {
        self.pen.line(&Line::from(format_args!("{:INDENT$}", "")).and(note));
    }

    /// Writes the headers that are relevant for the WebSocket. In the full layout, writes all headers.
    fn headers(&mut self, headers: &HeaderMap, telling: &[(HeaderName, &str)]) {
        if self.layout == Layout::Full {
            for (name, value) in headers {
                self.header(&format!("{name}:"), self.secrets.header(name, value));
            }
            return;
        }
        for (name, called) in telling {
            let values: Vec<_> = headers
                .get_all(name)
                .iter()
                .map(|value| self.secrets.header(name, value))
                .collect();
            if !values.is_empty() {
                self.header(called, values.join(", "));
            }
        }
    }

    fn header(&mut self, name: &str, value: impl Display) {
        self.note(Line::of(DIM, name).plain(" ").plain(value));
    }

    fn frame(&mut self, sender: Role, frame: &Observed) {
        let length = match frame.compressed {
            true => format!("{} from {}", size(frame.content_len), size(frame.payload_len)),
            false => size(frame.payload_len),
        };
        let mut line = Line::of(DIM, flags(frame))
            .plain(format_args!(" {:<12} {length:>9}", kind_of(frame.opcode)));
        let text = text_of(frame);
        let is_cut = frame.content.len() as u64 != frame.content_len;
        let is_close = frame.opcode == Opcode::Close as u8;
        let is_one_line = text.as_ref().is_some_and(|text| text.lines().count() <= 1);
        let content = match (self.layout, &text) {
            _ if is_close => close_of(frame),
            (Layout::Short(most), text) => {
                let room = most.saturating_sub(INDENT + line.width() + 2).max(16);
                fit(text.as_deref(), &frame.content, is_cut, room)
            }
            (Layout::Full, Some(text)) if is_one_line && !is_cut => text.clone(),
            (Layout::Full, _) => String::new(),
        };
        if !content.is_empty() {
            line = line.plain("  ").plain(&content);
        }
        self.begin(Some(sender), line);
        if self.layout == Layout::Full && content.is_empty() {
            match &text {
                Some(text) => self.pen.indented(INDENT, text),
                None => self.dump(&frame.content),
            }
        }
        if let Some(violation) = &frame.violation {
            self.note(Line::of(BAD, format_args!("! {violation}")));
        }
        if frame.after_close {
            self.note(Line::of(BAD, "! it follows a Close, so a receiver ignores it"));
        }
    }

    /// Writes bytes as hex, with their position and the printable characters.
    fn dump(&mut self, bytes: &[u8]) {
        for (number, bytes) in bytes.chunks(DUMPED).enumerate() {
            self.note(dump_line(number * DUMPED, bytes).into());
        }
    }
}

fn dump_line(position: usize, bytes: &[u8]) -> String {
    let letter = |byte: &u8| if byte.is_ascii_graphic() { char::from(*byte) } else { '.' };
    let letters: String = bytes.iter().map(letter).collect();
    format!("{position:06x}  {:<47}  {letters}", spaced_hex(bytes))
}

/// Formats the bits of a header: F for FIN, 1, 2, 3 for the reserved bits, M for masked.
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
        _ => format!("{code} \"{}\"", String::from_utf8_lossy(reason)),
    }
}

/// Returns the part of the content that fits.
fn fit(text: Option<&str>, content: &[u8], is_cut: bool, room: usize) -> String {
    let whole = match text {
        Some(text) => escaped(text),
        None => spaced_hex(&content[..content.len().min(room.div_ceil(3))]),
    };
    let left_out = is_cut || text.is_none() && content.len() > room.div_ceil(3);
    if !left_out && whole.chars().count() <= room {
        return whole;
    }
    let mut beginning: String = whole.chars().take(room.saturating_sub(1)).collect();
    beginning.push('…');
    beginning
}

fn spaced_hex(bytes: &[u8]) -> String {
    let pairs: Vec<String> = bytes.iter().map(|byte| to_hex(&[*byte])).collect();
    pairs.join(" ")
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

/// The column of the content. Additional lines are indented to it.
const INDENT: usize = 27;

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
    use fullduplex_net::proto::Observer;
    use http::Request;
    use proptest::prelude::*;

    use super::super::json;
    use super::*;
    use crate::output::{assert_harmless, seen};

    proptest! {
        /// FK-03: any text of a peer in a header, a frame, a reason or an error.
        #[test]
        fn text_of_peers_is_escaped_in_a_terminal(
            text in "(.|\\n|\\x1b|\\r|\u{9b}|\u{202e}){0,20}",
            bytes in prop::collection::vec(any::<u8>(), 0..40),
            opcode in 0u8..16,
        ) {
            let header: Vec<u8> = bytes.iter().copied().filter(|b| *b >= 32 && *b != 127).collect();
            let headers = |builder: http::request::Builder| {
                let value = http::HeaderValue::from_bytes(&header).unwrap();
                builder.header("x-any", &value).header("sec-websocket-protocol", value).body(()).unwrap()
            };
            let frame = |content: &[u8]| {
                let content = &content[..content.len().min(125)];
                let bytes = [&[0x80 | opcode, content.len() as u8], content].concat();
                Observer::new(Role::Server, 1024).observe(&mut &bytes[..]).unwrap()
            };
            let peer = "127.0.0.1:1".parse().unwrap();
            let events = [
                TapEvent::Request(peer, headers(Request::builder().uri("/x"))),
                TapEvent::Frame(Role::Server, frame(text.as_bytes())),
                TapEvent::Frame(Role::Client, frame(&bytes)),
                TapEvent::End(Role::Client, Some(frame(&bytes))),
                TapEvent::Broken(Role::Server, text.clone()),
                TapEvent::GoAway(Role::Server, text.clone()),
                TapEvent::Failed(text.clone()),
            ];
            let when = EventTime { connection: 1, stream: None, time: Duration::ZERO, since: Duration::ZERO };
            for event in &events {
                for layout in [Layout::Short(80), Layout::Full] {
                    let shown = seen(|pen| show(pen, when, event, layout, Secrets::Hidden));
                    assert_harmless(&shown, &["  1    0.000 s   +0.0 ms", &" ".repeat(INDENT)]);
                }
                let json = seen(|pen| json::event(pen, when, event, Secrets::Hidden));
                assert_harmless(&json, &["{"]);
            }
        }
    }

    #[test]
    fn content_is_shortened_to_its_room() {
        assert_eq!(fit(Some("hello"), b"hello", false, 5), "hello");
        assert_eq!(fit(Some("hello!"), b"hello!", false, 5), "hell…");
        assert_eq!(fit(Some("hel"), b"hel", true, 5), "hel…");
        assert_eq!(fit(Some("a\nb"), b"a\nb", false, 9), "a\\nb");
        assert_eq!(fit(None, &[1, 2, 255], false, 8), "01 02 ff");
        assert_eq!(fit(None, &[1, 2, 255, 4], false, 8), "01 02 f…");
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
        assert_eq!(
            dump_line(0, b"0123456789abcdef"),
            "000000  30 31 32 33 34 35 36 37 38 39 61 62 63 64 65 66  0123456789abcdef"
        );
        assert_eq!(dump_line(16, b"\xFFz"), format!("000010  {:<47}  .z", "ff 7a"));
    }
}
