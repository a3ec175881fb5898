use std::fmt::{Display, Write as _};

use anstyle::{AnsiColor, Style};

use super::Conclusion;
use super::record::Times;
use super::worker::Load;
use crate::figures::{bytes, count, counted, one_line, shown_url, time};

const TITLE: Style = Style::new().bold();
const NAME: Style = AnsiColor::Cyan.on_default();
const WARNING: Style = AnsiColor::Yellow.on_default();

const LATENCY: [(&str, f64); 6] =
    [("p50", 0.5), ("p75", 0.75), ("p90", 0.9), ("p99", 0.99), ("p99.9", 0.999), ("max", 1.0)];
const FEW: [(&str, f64); 3] = [("p50", 0.5), ("p99", 0.99), ("max", 1.0)];

/// The result for people.
pub(super) fn text(conclusion: &Conclusion) -> String {
    let Conclusion { run, cut_short } = conclusion;
    let record = run.record.borrow();
    let window = record.window();
    let mut text = Text::default();
    let load = match run.load {
        Load::Open { rate } => format!("open loop at {rate} messages/s"),
        Load::Closed { in_flight } => format!("closed loop, {in_flight} under way on each"),
    };
    let cut = if *cut_short { ", cut short" } else { "" };
    let url = one_line(&shown_url(&run.url), 100);
    text.line(format_args!("{TITLE}{url}{TITLE:#}"));
    text.line(format_args!(
        "{}, {load}, messages of {}, measured for {}{cut}\n",
        counted(run.connections.into(), "connection"),
        bytes(run.payload.size() as f64),
        time(window.end - window.start),
    ));
    text.row(
        "connections",
        format_args!(
            "{} of {} opened  after {}",
            count(run.counts.opened.get().into()),
            count(run.connections.into()),
            percentiles(&record.connecting, &FEW)
        ),
    );
    let unsent = match record.unsent {
        0 => String::new(),
        unsent => format!("  {} that it did not take", count(unsent)),
    };
    text.row(
        "messages",
        format_args!(
            "{} sent  {} answered  {} wrong  {} lost{unsent}",
            count(record.sent),
            count(record.answered),
            count(record.wrong),
            count(record.lost())
        ),
    );
    let rate = record.rate();
    text.row(
        "rate",
        format_args!(
            "{} messages/s  {}/s each way",
            count(rate.round() as u64),
            bytes(rate * run.payload.size() as f64)
        ),
    );
    text.row("latency", percentiles(&record.latency, &LATENCY));
    text.own(conclusion);
    if !record.errors.is_empty() {
        text.line(format_args!("\n{TITLE}What went wrong{TITLE:#}"));
    }
    for (reason, number) in &record.errors {
        let number = count(*number);
        text.line(format_args!("  {WARNING}{number} ×{WARNING:#} {}", one_line(reason, 200)));
    }
    text.text
}

#[derive(Debug, Default)]
struct Text {
    text: String,
}

impl Text {
    /// What this tool did itself, and what it cannot tell of others therefore.
    fn own(&mut self, Conclusion { run, .. }: &Conclusion) {
        let record = run.record.borrow();
        let window = record.window();
        let late = match run.load {
            Load::Open { .. } => format!("sent late by {}", percentiles(&record.own_delay, &FEW)),
            Load::Closed { .. } => "sent when an answer came".to_owned(),
        };
        let (stalls, sum) = run.watch.borrow().stalls(window.start, window.end);
        let stalled = match stalls {
            0 => "no stalls".to_owned(),
            number => format!("{}, {} in all", counted(number as u64, "stall"), time(sum)),
        };
        self.row("this tool", format_args!("{late}; {stalled}"));
        let apart = record.apart.len();
        if apart > 0 {
            let times = percentiles(&record.apart, &FEW);
            self.row(
                "kept apart",
                format_args!("{}, met by that: {times}", counted(apart, "message")),
            );
        }
        if record.own_unsent > 0 {
            let unsent = counted(record.own_unsent, "message");
            self.row(
                "",
                format_args!("{WARNING}{unsent} due and not sent: it had no time{WARNING:#}"),
            );
        }
        if (apart + record.own_unsent) * 100 > record.answered {
            self.row(
                "",
                format_args!("{WARNING}more than 1 %: load less, with --no-compression, or from more machines{WARNING:#}"),
            );
        }
        if let Load::Closed { .. } = run.load {
            self.row("", "a closed loop waits with a slow server: see --rate for what users see");
        }
    }

    fn row(&mut self, label: &str, line: impl Display) {
        self.line(format_args!("{NAME}{label:13}{NAME:#}{line}"));
    }

    fn line(&mut self, line: impl Display) {
        // Writing to a String cannot fail.
        writeln!(self.text, "{line}").ok();
    }
}

fn percentiles(times: &Times, parts: &[(&str, f64)]) -> String {
    if times.len() == 0 {
        return "nothing was measured".to_owned();
    }
    let shown = parts.iter().map(|(name, part)| {
        let at = if *part < 1.0 { times.at(*part) } else { times.max() };
        format!("{name} {}", time(at))
    });
    shown.collect::<Vec<_>>().join("  ")
}
