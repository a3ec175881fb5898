use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};

use super::findings::{Finding, findings};
use super::report::{Open, Outcome, Report};
use super::talk::{EndedBy, Talk};
use super::trace::{Attempt, Head, Hop, StreamDetails};
use crate::figures::{counted, time};
use crate::output::{Line, cut};
use crate::secrets::Secrets;

/// Returns the report as text: one screen.
pub(super) fn lines(report: &Report) -> Vec<Line> {
    let mut screen = Screen { lines: Vec::new(), secrets: report.secrets };
    screen.title(report);
    for hop in &report.hops[..report.hops.len() - 1] {
        screen.row("redirect", &screen.redirected(hop));
    }
    screen.hop(report, report.last_hop());
    match &report.outcome {
        Outcome::Open(open) => {
            let is_stream = report.last_hop().stream.is_some();
            screen.open(open, if is_stream { "the stream" } else { "TCP" });
        }
        Outcome::Failed(_) | Outcome::Interrupted => {}
    }
    screen.findings(&findings(report));
    screen.lines
}

const WIDTH: usize = 100;
const LABEL: usize = 13;

/// The number of addresses, headers and certificate names that are shown. Further ones are only counted.
const ADDRESSES: usize = 4;
const HEADERS: usize = 8;
const NAMES: usize = 4;

const TITLE: Style = Style::new().bold();
const NAME: Style = AnsiColor::Cyan.on_default();
const GOOD: Style = AnsiColor::Green.on_default().bold();
const BAD: Style = AnsiColor::Red.on_default().bold();
const WARNING: Style = AnsiColor::Yellow.on_default();

#[derive(Debug)]
struct Screen {
    lines: Vec<Line>,
    secrets: Secrets,
}

impl Screen {
    fn title(&mut self, report: &Report) {
        let (style, state) = match &report.outcome {
            Outcome::Failed(_) => (BAD, "no connection"),
            Outcome::Interrupted => (BAD, "interrupted"),
            Outcome::Open(open) if open.talk.is_clean() => (GOOD, "opened and closed in order"),
            Outcome::Open(_) => (BAD, "opened, and did not close in order"),
        };
        let url = cut(&self.secrets.url(report.url.as_str()), WIDTH - state.len() - 2);
        self.lines.push(Line::of(TITLE, url).plain("  ").styled(style, state));
        self.gap();
    }

    fn hop(&mut self, report: &Report, hop: &Hop) {
        if let Some(proxy) = &hop.proxy {
            self.row("proxy", proxy);
        }
        self.rows("addresses", hop.addresses.iter().map(attempt), ADDRESSES);
        self.tls(report, hop);
        if let Some(request) = &hop.request {
            self.head("request", request);
        }
        if let Some(StreamDetails { id, max_streams }) = hop.stream {
            let limit =
                max_streams.map_or("any number of".to_owned(), |it| format!("at most {it}"));
            self.row("HTTP/2", &format!("stream {id}  the server allows {limit} streams"));
        }
        if let Some(response) = &hop.response {
            self.head("response", response);
        }
        let phases = hop.phases();
        if !phases.is_empty() {
            let all = phases.iter().map(|(_, took)| *took).sum();
            let phases: Vec<_> =
                phases.iter().map(|(name, took)| format!("{name} {}", time(*took))).collect();
            self.row("time", &format!("{}  all {}", phases.join("  "), time(all)));
        }
    }

    fn tls(&mut self, report: &Report, hop: &Hop) {
        if let Some(tls) = &hop.tls {
            let alpn = tls.alpn.as_ref().map(|name| format!("  ALPN {name}"));
            let alpn = alpn.unwrap_or_default();
            self.row("TLS", &format!("{}  {}{alpn}", tls.version, tls.cipher));
        }
        let Some(certificate) = hop.certificates.first() else { return };
        let verified = match (&hop.tls, report.takes_any_certificate) {
            (Some(_), false) => "verified",
            (Some(_), true) => "not verified",
            (None, _) => "not trusted",
        };
        let mut names = certificate.names[..certificate.names.len().min(NAMES)].join(", ");
        if certificate.names.len() > NAMES {
            // Writing to a String cannot fail.
            write!(names, " and {} more", certificate.names.len() - NAMES).ok();
        }
        let chain = hop.certificates.len();
        let (from, to) = (&certificate.not_before.date, &certificate.not_after.date);
        let days = certificate.days_left(report.now);
        let lines = [
            format!("{verified}  {}  for {names}", certificate.subject),
            format!("issued by {}  {chain} in the chain", certificate.issuer),
            format!("valid from {from} to {to}, {days} days left"),
        ];
        self.rows("certificate", lines, 3);
    }

    fn head(&mut self, label: &str, head: &Head) {
        let first = std::iter::once(head.shown_first_line(self.secrets));
        let (usual, telling): (Vec<_>, Vec<_>) = head
            .headers
            .iter()
            .partition(|(name, value)| is_usual(name.as_str(), value.as_bytes()));
        let secrets = self.secrets;
        let headers = telling
            .into_iter()
            .map(|(name, value)| format!("{name}: {}", secrets.header(name, value)));
        self.rows(label, first.chain(headers).collect::<Vec<_>>(), 1 + HEADERS);
        if !usual.is_empty() {
            let number = counted(usual.len() as u64, "header");
            self.row("", &format!("and {number} of every handshake"));
        }
    }

    /// `carrier` is what carried the connection: TCP, or a stream.
    fn open(&mut self, open: &Open, carrier: &str) {
        let extensions = if open.extensions.is_empty() { "none" } else { &open.extensions };
        let subprotocol = open.subprotocol.as_deref().unwrap_or("none");
        let subprotocol = self.secrets.subprotocols(subprotocol);
        self.row("agreed", &format!("extensions {extensions}  subprotocol {subprotocol}"));
        let talk = &open.talk;
        if talk.messages > 0 {
            self.row("messages", &format!("{} arrived unasked", talk.messages));
        }
        self.row("pings", &pings(talk));
        self.row("close", &close(talk, carrier));
    }

    fn findings(&mut self, findings: &[Finding]) {
        self.gap();
        if findings.is_empty() {
            return self.lines.push(Line::of(GOOD, "Nothing looks wrong"));
        }
        self.lines.push(Line::of(TITLE, "What looks wrong"));
        for Finding { what, advice } in findings {
            let what = cut(&self.secrets.text(what), 3 * WIDTH);
            for line in wrapped(&what, WIDTH - 2) {
                self.lines.push(Line::from("  ").styled(WARNING, line));
            }
            self.lines.push(Line::from(format_args!("    {advice}")));
        }
    }

    /// Adds a row for each line, with the label in the first row. Lines beyond `most` are only counted.
    fn rows(&mut self, label: &str, lines: impl IntoIterator<Item = String>, most: usize) {
        let lines: Vec<_> = lines.into_iter().collect();
        let shown = if lines.len() > most { most - 1 } else { most };
        for (at, line) in lines.iter().take(shown).enumerate() {
            self.row(if at == 0 { label } else { "" }, line);
        }
        if lines.len() > shown {
            self.row("", &format!("and {} more, which --json shows", lines.len() - shown));
        }
    }

    fn row(&mut self, label: &str, line: &str) {
        let line = cut(line, WIDTH - LABEL);
        self.lines.push(Line::of(NAME, format_args!("{label:LABEL$}")).plain(line));
    }

    fn gap(&mut self) {
        self.lines.push(Line::new());
    }

    fn redirected(&self, hop: &Hop) -> String {
        let status = hop.response.as_ref().map_or("", |head| &head.first_line);
        let to = hop.response.as_ref().and_then(|head| head.header("location"));
        let to = to.map(|to| self.secrets.url(&String::from_utf8_lossy(to.as_bytes())));
        format!("{status}, to {}", to.as_deref().unwrap_or("nowhere"))
    }
}

/// Breaks text between words into lines of this width.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    let mut length = 0;
    for word in text.split(' ') {
        let next = word.chars().count() + 1;
        if length > 0 && length + next > width {
            lines.push(String::new());
            length = 0;
        }
        if let Some(line) = lines.last_mut() {
            if length > 0 {
                line.push(' ');
            }
            line.push_str(word);
        }
        length += next;
    }
    lines
}

/// Returns whether a header is the same in every handshake.
fn is_usual(name: &str, value: &[u8]) -> bool {
    match name {
        "upgrade" => value.eq_ignore_ascii_case(b"websocket"),
        "connection" => value.eq_ignore_ascii_case(b"upgrade"),
        "sec-websocket-version"
        | "sec-websocket-key"
        | "sec-websocket-accept"
        | "pragma"
        | "cache-control" => true,
        _ => false,
    }
}

fn attempt(attempt: &Attempt) -> String {
    let address = attempt.address.to_string();
    let outcome = match (&attempt.began, &attempt.outcome) {
        (None, None) => "not tried".to_owned(),
        (None, Some((_, outcome))) => outcome.clone().err().unwrap_or_default(),
        (Some(began), None) => format!("tried at {}  given up", time(*began)),
        (Some(began), Some((ended, outcome))) => {
            let took = time(ended.saturating_sub(*began));
            let outcome = outcome.as_ref().err().map_or("connected", |error| error);
            format!("tried at {}  {outcome} after {took}", time(*began))
        }
    };
    format!("{address}  {outcome}")
}

fn pings(talk: &Talk) -> String {
    let answered = format!("{} of {} answered", talk.round_trips.len(), talk.asked);
    let figures = [("min", 0.0), ("p50", 0.5), ("p99", 0.99), ("max", 1.0)];
    figures.into_iter().fold(answered, |line, (name, part)| match talk.percentile(part) {
        Some(took) => format!("{line}  {name} {}", time(took)),
        None => line,
    })
}

fn close(talk: &Talk, carrier: &str) -> String {
    let Some(end) = &talk.end else { return "interrupted".to_owned() };
    let (code, reason) = (end.closed.code(), end.closed.reason());
    let reason = if reason.is_empty() { String::new() } else { format!(" \"{reason}\"") };
    let clean = if end.closed.was_clean() { "clean" } else { "not clean" };
    let first = match end.answered {
        _ if talk.server_closed_first => "  the server closed first".to_owned(),
        Some(took) => format!("  answered after {}", time(took)),
        None => "  never answered".to_owned(),
    };
    let by = match end.ended_by {
        EndedBy::Server => "the server",
        EndedBy::Client => "this client",
    };
    format!("{code}{reason} {clean}{first}  {by} ended {carrier} after {}", time(end.ended))
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use http::{HeaderName, HeaderValue};
    use proptest::prelude::*;

    use super::super::certificate::{Certificate, Date};
    use super::*;
    use crate::output::{assert_harmless, seen};

    proptest! {
        /// FK-03: any text of a server in its certificate, headers and errors, and any text of a proxy in
        /// its name.
        #[test]
        fn text_of_servers_is_escaped_in_a_terminal(text in "(.|\\n|\\x1b|\\r|\u{9b}|\u{202e}){0,20}") {
            let value = HeaderValue::from_bytes(text.as_bytes());
            let value = value.unwrap_or(HeaderValue::from_static("x"));
            let day = Date { date: text.clone(), timestamp: 0 };
            let certificate = Certificate {
                subject: text.clone(),
                issuer: text.clone(),
                names: vec![text.clone(); 2],
                not_before: day.clone(),
                not_after: day,
            };
            let head = Head {
                first_line: text.clone(),
                headers: vec![(HeaderName::from_static("location"), value)],
            };
            let talk = Talk { asked: 1, ..Talk::default() };
            let report = Report {
                url: "wss://server.example/".parse().unwrap(),
                hops: vec![Hop {
                    proxy: Some(text.clone()),
                    certificates: vec![certificate],
                    request: Some(head.clone()),
                    response: Some(head),
                    ..Hop::default()
                }; 2],
                outcome: Outcome::Open(Open {
                    extensions: text.clone(),
                    subprotocol: Some(text),
                    talk,
                }),
                takes_any_certificate: false,
                now: SystemTime::now(),
                secrets: Secrets::Hidden,
            };
            let lines = lines(&report);
            let shown = seen(|pen| lines.iter().for_each(|line| pen.line(line)));
            assert_harmless(&shown, &[""]);
            prop_assert_eq!(shown.lines().count(), lines.len());
            let report = super::super::json::value(&report);
            assert_harmless(&seen(|pen| pen.json(&report)), &["{"]);
        }
    }
}
