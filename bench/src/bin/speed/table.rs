use std::fmt;

use fullduplex_bench::client::Offer;
use fullduplex_bench::peer::Peer;

use crate::figure::Figure;
use crate::meter::Sample;
use crate::workload::{Action, Workload};

/// The measurements of several peers with one workload.
#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) workload: Workload,
    pub(crate) rows: Vec<(Peer, Vec<Sample>)>,
}

/// If the other end is busier than this, the peer may have waited for it.
const TOO_BUSY: f64 = 0.95;

impl Table {
    /// Returns the cost of a message as a multiple of the cost without a protocol on the same
    /// runtime, if the latter was measured. Compares the two costs of the same round, because the
    /// machine may have been slower in some rounds.
    pub(crate) fn ratio(&self, samples: &[Sample]) -> Option<f64> {
        let (_, raw) = self.rows.iter().find(|(peer, _)| peer.kind.is_baseline())?;
        let rounds: Vec<(&Sample, &Sample)> = samples.iter().zip(raw).collect();
        Some(Figure::of(&rounds, |(sample, raw)| sample.cost() / raw.cost()).median)
    }

    fn head(&self) -> Vec<&'static str> {
        let [unit, rate, other] = match self.workload.action {
            Action::Handshake => ["CPU µs per handshake", "handshakes/s", "generator busy"],
            Action::Broadcast => ["CPU µs per delivery", "deliveries/s", "generator busy"],
            Action::Echo => ["CPU µs per message", "messages/s", "generator busy"],
            Action::Client => ["CPU µs per message", "messages/s", "server busy"],
        };
        let mut head = vec!["", "to raw", unit, rate, "busy", other];
        if self.shows_latency() {
            head.extend(["p50 µs", "p99 µs"]);
        }
        if self.shows_reply_len() {
            head.push("bytes per reply");
        }
        head
    }

    fn line(&self, peer: &Peer, samples: &[Sample]) -> Vec<String> {
        let cost = Figure::of(samples, Sample::cost);
        let other_busy = Figure::of(samples, Sample::other_busy).median;
        let mark = if other_busy > TOO_BUSY { " (!)" } else { "" };
        let mut line = vec![
            peer.label(),
            self.ratio(samples).map_or("–".into(), |ratio| format!("{ratio:.2}")),
            format!("{:.2} ({:.2}–{:.2})", cost.median, cost.least, cost.most),
            format!("{:.0}", Figure::of(samples, Sample::rate).median),
            format!("{:.0} %", Figure::of(samples, Sample::busy).median * 100.0),
            format!("{:.0} %{mark}", other_busy * 100.0),
        ];
        if self.shows_latency() {
            line.extend([50, 99].map(|hundredths| {
                let value = |sample: &Sample| sample.percentile(hundredths).unwrap_or(f64::NAN);
                format!("{:.0}", Figure::of(samples, value).median)
            }));
        }
        if self.shows_reply_len() {
            line.push(format!("{:.0}", Figure::of(samples, Sample::reply_len).median));
        }
        line
    }

    fn shows_latency(&self) -> bool {
        let Workload { action, burst, .. } = self.workload;
        burst == 1 && matches!(action, Action::Echo | Action::Broadcast)
    }

    fn shows_reply_len(&self) -> bool {
        self.workload.offer != Offer::Nothing
    }
}

/// Formats the table in Markdown, with aligned columns.
impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "**{}**: {}\n", self.workload.name, self.workload.title)?;
        let head = self.head().into_iter().map(str::to_owned).collect();
        let body = self.rows.iter().map(|(peer, samples)| self.line(peer, samples));
        let lines: Vec<Vec<String>> = std::iter::once(head).chain(body).collect();
        let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max();
        let widths: Vec<usize> = (0..lines[0].len()).filter_map(width).collect();
        for (number, line) in lines.iter().enumerate() {
            for (cell, width) in line.iter().zip(&widths) {
                write!(f, "| {cell:width$} ")?;
            }
            writeln!(f, "|")?;
            if number == 0 {
                widths.iter().try_for_each(|width| write!(f, "|-{:-<width$}-", ""))?;
                writeln!(f, "|")?;
            }
        }
        Ok(())
    }
}
