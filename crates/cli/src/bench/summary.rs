use std::fmt::Display;

use anstyle::{AnsiColor, Style};

use super::record::Times;
use super::result::BenchResult;
use super::worker::Load;
use crate::figures::{bytes, count, counted, time};
use crate::output::{Line, cut};

const TITLE: Style = Style::new().bold();
const NAME: Style = AnsiColor::Cyan.on_default();
const WARNING: Style = AnsiColor::Yellow.on_default();

const LATENCY: [(&str, f64); 6] =
    [("p50", 0.5), ("p75", 0.75), ("p90", 0.9), ("p99", 0.99), ("p99.9", 0.999), ("max", 1.0)];
const FEW: [(&str, f64); 3] = [("p50", 0.5), ("p99", 0.99), ("max", 1.0)];

/// Returns the result as text.
pub(super) fn lines(result: &BenchResult) -> Vec<Line> {
    let BenchResult { run, cut_short, secrets } = result;
    let record = run.record.borrow();
    let window = record.window();
    let mut text = Summary::default();
    let load = match run.load {
        Load::Open { rate } => format!("open loop at {rate} messages/s"),
        Load::Closed { in_flight } => format!("closed loop, {in_flight} in flight on each"),
    };
    let cut_short = if *cut_short { ", cut short" } else { "" };
    text.0.push(Line::of(TITLE, cut(&secrets.url(run.url.as_str()), 100)));
    text.line(format_args!(
        "{}, {load}, messages of {}, measured for {}{cut_short}",
        counted(run.connections.into(), "connection"),
        bytes(run.payload.size() as f64),
        time(window.end - window.start),
    ));
    text.gap();
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
        unsent => format!("  {} that it did not accept", count(unsent)),
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
    text.tool_delays(result);
    if record.unasked > 0 {
        let unasked = counted(record.unasked, "message");
        text.row("unasked", format_args!("{unasked} that were not answers"));
    }
    if !record.errors.is_empty() {
        text.gap();
        text.0.push(Line::of(TITLE, "What went wrong"));
    }
    for (reason, number) in &record.errors {
        let number = count(*number);
        let reason = cut(&secrets.text(reason), 200);
        let line = Line::from("  ").styled(WARNING, format_args!("{number} ×"));
        text.0.push(line.plain(" ").plain(reason));
    }
    text.0
}

#[derive(Debug, Default)]
struct Summary(Vec<Line>);

impl Summary {
    /// Shows the delays of this tool, and the messages that were recorded separately because of them.
    fn tool_delays(&mut self, BenchResult { run, .. }: &BenchResult) {
        let record = run.record.borrow();
        let window = record.window();
        let late = match run.load {
            Load::Open { .. } => format!("sent late by {}", percentiles(&record.own_delay, &FEW)),
            Load::Closed { .. } => "sent when an answer arrived".to_owned(),
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
                format_args!(
                    "{}, which the tool may have delayed: {times}",
                    counted(apart, "message")
                ),
            );
        }
        if record.own_unsent > 0 {
            let unsent = counted(record.own_unsent, "message");
            self.warning(format_args!("{unsent} due and not sent: this tool was too slow"));
        }
        if (apart + record.own_unsent) * 100 > record.answered {
            self.warning(
                "more than 1 %: lower the load, use --no-compression, or use more machines",
            );
        }
        if let Load::Closed { .. } = run.load {
            self.row("", "a closed loop slows down with the server: --rate shows what users see");
        }
    }

    fn row(&mut self, label: &str, line: impl Display) {
        self.0.push(Line::of(NAME, format_args!("{label:13}")).plain(line));
    }

    fn warning(&mut self, line: impl Display) {
        self.0.push(Line::from(format_args!("{:13}", "")).styled(WARNING, line));
    }

    fn line(&mut self, line: impl Display) {
        self.0.push(line.into());
    }

    fn gap(&mut self) {
        self.0.push(Line::new());
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
