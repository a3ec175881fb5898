use std::fmt::{Display, Write as _};

use anstyle::{AnsiColor, Style};

use super::findings::{Finding, findings};
use super::journey::{Head, Leg, Tried};
use super::talk::{Side, Talk};
use super::{Open, Outcome, Report};
use crate::figures::{counted, one_line, shown_url, time};

/// The report for people: one screen.
pub(super) fn text(report: &Report) -> String {
    let mut screen = Screen::default();
    screen.title(report);
    for leg in &report.legs[..report.legs.len() - 1] {
        screen.row("redirect", &passed(leg));
    }
    screen.leg(report, report.last_leg());
    match &report.outcome {
        Outcome::Open(open) => screen.open(open),
        Outcome::Failed(_) | Outcome::Interrupted => {}
    }
    screen.findings(&findings(report));
    screen.text
}

const WIDTH: usize = 100;
const LABEL: usize = 13;

/// More addresses, headers and certificates' names are counted only.
const ADDRESSES: usize = 4;
const HEADERS: usize = 8;
const NAMES: usize = 4;

const TITLE: Style = Style::new().bold();
const NAME: Style = AnsiColor::Cyan.on_default();
const GOOD: Style = AnsiColor::Green.on_default().bold();
const BAD: Style = AnsiColor::Red.on_default().bold();
const WARNING: Style = AnsiColor::Yellow.on_default();

#[derive(Debug, Default)]
struct Screen {
    text: String,
}

impl Screen {
    fn title(&mut self, report: &Report) {
        let (style, state) = match &report.outcome {
            Outcome::Failed(_) => (BAD, "no connection"),
            Outcome::Interrupted => (BAD, "interrupted"),
            Outcome::Open(open) if open.talk.is_clean() => (GOOD, "opened and closed in order"),
            Outcome::Open(_) => (BAD, "opened, and did not close in order"),
        };
        let url = one_line(&shown_url(&report.url), WIDTH - state.len() - 2);
        self.line(format_args!("{TITLE}{url}{TITLE:#}  {style}{state}{style:#}\n"));
    }

    fn leg(&mut self, report: &Report, leg: &Leg) {
        if let Some(proxy) = &leg.proxy {
            self.row("proxy", proxy);
        }
        self.rows("addresses", leg.addresses.iter().map(tried), ADDRESSES);
        self.tls(report, leg);
        if let Some(request) = &leg.request {
            self.head("request", request);
        }
        if let Some(response) = &leg.response {
            self.head("response", response);
        }
        let phases = leg.phases();
        if !phases.is_empty() {
            let all = phases.iter().map(|(_, took)| *took).sum();
            let phases: Vec<_> =
                phases.iter().map(|(name, took)| format!("{name} {}", time(*took))).collect();
            self.row("time", &format!("{}  all {}", phases.join("  "), time(all)));
        }
    }

    fn tls(&mut self, report: &Report, leg: &Leg) {
        if let Some(tls) = &leg.tls {
            self.row("TLS", &format!("{}  {}", tls.version, tls.cipher));
        }
        let Some(certificate) = leg.certificates.first() else { return };
        let verified = match (&leg.tls, report.takes_any_certificate) {
            (Some(_), false) => "verified",
            (Some(_), true) => "not verified",
            (None, _) => "not trusted",
        };
        let mut names = certificate.names[..certificate.names.len().min(NAMES)].join(", ");
        if certificate.names.len() > NAMES {
            write!(names, " and {} more", certificate.names.len() - NAMES).ok();
        }
        let chain = leg.certificates.len();
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
        let first = std::iter::once(head.first_line.clone());
        let (usual, telling): (Vec<_>, Vec<_>) =
            head.headers.iter().partition(|(name, value)| is_usual(name, value));
        let headers = telling.into_iter().map(|(name, value)| format!("{name}: {value}"));
        self.rows(label, first.chain(headers), 1 + HEADERS);
        if !usual.is_empty() {
            self.row(
                "",
                &format!("and {} of every handshake", counted(usual.len() as u64, "header")),
            );
        }
    }

    fn open(&mut self, open: &Open) {
        let extensions = if open.extensions.is_empty() { "none" } else { &open.extensions };
        let subprotocol = open.subprotocol.as_deref().unwrap_or("none");
        self.row("agreed", &format!("extensions {extensions}  subprotocol {subprotocol}"));
        let talk = &open.talk;
        if talk.messages > 0 {
            self.row("messages", &format!("{} came unasked", talk.messages));
        }
        self.row("pings", &pings(talk));
        self.row("close", &close(talk));
    }

    fn findings(&mut self, findings: &[Finding]) {
        if findings.is_empty() {
            return self.line(format_args!("\n{GOOD}Nothing looks wrong{GOOD:#}"));
        }
        self.line(format_args!("\n{TITLE}What looks wrong{TITLE:#}"));
        for Finding { what, advice } in findings {
            for line in wrapped(&one_line(what, 3 * WIDTH), WIDTH - 2) {
                self.line(format_args!("  {WARNING}{line}{WARNING:#}"));
            }
            self.line(format_args!("    {advice}"));
        }
    }

    /// A line for each, the label before the first; those above `most` are counted.
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
        let line = one_line(line, WIDTH - LABEL);
        self.line(format_args!("{NAME}{label:LABEL$}{NAME:#}{line}"));
    }

    fn line(&mut self, line: impl Display) {
        // Writing to a String cannot fail.
        writeln!(self.text, "{line}").ok();
    }
}

/// Lines of this width, broken between words.
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

/// Whether a header says nothing of this server in particular.
fn is_usual(name: &str, value: &str) -> bool {
    match name {
        "upgrade" => value.eq_ignore_ascii_case("websocket"),
        "connection" => value.eq_ignore_ascii_case("upgrade"),
        "sec-websocket-version"
        | "sec-websocket-key"
        | "sec-websocket-accept"
        | "pragma"
        | "cache-control" => true,
        _ => false,
    }
}

fn passed(leg: &Leg) -> String {
    let location = leg.response.as_ref().and_then(|head| head.header("location"));
    let status = leg.response.as_ref().map_or("", |head| &head.first_line);
    format!("{status}, to {}", location.unwrap_or("nowhere"))
}

fn tried(tried: &Tried) -> String {
    let address = tried.address.to_string();
    let outcome = match (&tried.began, &tried.outcome) {
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

fn close(talk: &Talk) -> String {
    let Some(end) = &talk.end else { return "interrupted".to_owned() };
    let (code, reason) = (end.closed.code(), end.closed.reason());
    let reason = if reason.is_empty() { String::new() } else { format!(" \"{reason}\"") };
    let clean = if end.closed.was_clean() { "clean" } else { "not clean" };
    let first = match end.answered {
        _ if talk.server_closed_first => "  the server first".to_owned(),
        Some(took) => format!("  answered after {}", time(took)),
        None => "  never answered".to_owned(),
    };
    let by = match end.ended_by {
        Side::Server => "the server",
        Side::Client => "this client",
    };
    format!("{code}{reason} {clean}{first}  {by} ended TCP after {}", time(end.ended))
}
