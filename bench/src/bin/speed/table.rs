use fullduplex_bench::peer::{Kind, Peer};

use crate::figure::Figure;
use crate::meter::Sample;
use crate::workload::Workload;

/// What was measured of several peers with one workload.
#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) workload: Workload,
    pub(crate) rows: Vec<(Peer, Vec<Sample>)>,
}

/// A generator that is busier than this may have been what the server waited for.
const TOO_BUSY: f64 = 0.95;

const HEAD: [&str; 8] = [
    "",
    "to raw",
    "CPU µs each",
    "messages/s",
    "p50 µs",
    "p99 µs",
    "server busy",
    "generator busy",
];

impl Table {
    /// In Markdown, with columns of one width.
    pub(crate) fn print(&self) {
        let Workload { name, title, .. } = self.workload;
        println!("\n{name}: {title}\n");
        let mut lines = vec![HEAD.map(str::to_owned)];
        lines.extend(self.rows.iter().map(|(peer, samples)| self.line(peer, samples)));
        let widths: [usize; 8] = std::array::from_fn(|column| {
            lines.iter().map(|line| line[column].chars().count()).max().unwrap_or_default()
        });
        for (number, line) in lines.iter().enumerate() {
            for (cell, width) in line.iter().zip(widths) {
                print!("| {cell:width$} ");
            }
            println!("|");
            if number == 0 {
                println!("{}|", widths.map(|width| format!("|-{:-<width$}-", "")).concat());
            }
        }
    }

    fn line(&self, peer: &Peer, samples: &[Sample]) -> [String; 8] {
        let cost = Figure::of(samples, Sample::cost);
        let micros = |figure: Figure| format!("{:.1}", figure.median);
        let busy = Figure::of(samples, Sample::own_busy).median;
        let mark = if busy > TOO_BUSY { " (!)" } else { "" };
        [
            peer.label(),
            self.baseline().map_or("–".into(), |raw| format!("{:.2}", cost.median / raw)),
            format!("{:.2} ({:.2}–{:.2})", cost.median, cost.least, cost.most),
            format!("{:.0}", Figure::of(samples, Sample::rate).median),
            micros(Figure::of(samples, |sample| sample.p50.as_secs_f64() * 1e6)),
            micros(Figure::of(samples, |sample| sample.p99.as_secs_f64() * 1e6)),
            format!("{:.0} %", Figure::of(samples, Sample::busy).median * 100.0),
            format!("{:.0} %{mark}", busy * 100.0),
        ]
    }

    /// What a message costs a server that knows no protocol, on the same runtime.
    pub(crate) fn baseline(&self) -> Option<f64> {
        let (_, samples) = self.rows.iter().find(|(peer, _)| peer.kind == Kind::Raw)?;
        Some(Figure::of(samples, Sample::cost).median)
    }
}
