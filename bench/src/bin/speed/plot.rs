//! The tables as a picture: for each workload one bar per peer. The length of a bar is the cost as
//! a multiple of the cost without a protocol.

use std::fmt::Write;

use fullduplex_bench::peer::{Kind, Peer};

use crate::table::Table;

const COLUMNS: usize = 2;
const PANEL_WIDTH: usize = 470;
const MARGIN: usize = 16;
/// The width of the names.
const NAMES_WIDTH: usize = 132;
/// The width of the numbers after the bars.
const NUMBERS_WIDTH: usize = 44;
const BARS_WIDTH: usize = PANEL_WIDTH - 2 * MARGIN - NAMES_WIDTH - NUMBERS_WIDTH;
const HEAD_HEIGHT: usize = 34;
const ROW_HEIGHT: usize = 19;
const BAR_HEIGHT: usize = 12;

/// Styles that are readable on light and dark backgrounds. If the viewer reports its background, the
/// colours fit that background better.
const STYLE: &str = "\
text{font:12px system-ui,sans-serif;fill:#59636e}\
.title{font-weight:600;fill:#24292f}\
.number{font-variant-numeric:tabular-nums}\
.ours{fill:#1f6feb}.theirs{fill:#afb8c1}.raw{fill:#d8dee4}\
.one{stroke:#59636e;stroke-dasharray:2 2}\
.ground{fill:#ffffff}\
@media(prefers-color-scheme:dark){\
text{fill:#9198a1}.title{fill:#f0f6fc}\
.ours{fill:#4493f8}.theirs{fill:#656c76}.raw{fill:#3d444d}\
.one{stroke:#9198a1}.ground{fill:#0d1117}}";

/// Draws the tables that have ratios.
pub(crate) fn svg(tables: &[Table]) -> String {
    let panels: Vec<(&Table, Vec<(Peer, f64)>)> = tables.iter().filter_map(bars).collect();
    let mut body = String::new();
    let mut y = 0;
    for row in panels.chunks(COLUMNS) {
        for (column, (table, bars)) in row.iter().enumerate() {
            body += &panel(table, bars, column * PANEL_WIDTH, y);
        }
        let most = row.iter().map(|(_, bars)| bars.len()).max().unwrap_or_default();
        y += HEAD_HEIGHT + most * ROW_HEIGHT + MARGIN;
    }
    let width = COLUMNS * PANEL_WIDTH;
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {y}\" width=\"{width}\" \
         height=\"{y}\"><style>{STYLE}</style>\
         <rect class=\"ground\" width=\"100%\" height=\"100%\"/>\n{body}</svg>\n"
    )
}

/// Returns the ratios of a table.
fn bars(table: &Table) -> Option<(&Table, Vec<(Peer, f64)>)> {
    let rows = table.rows.iter();
    let bars: Option<Vec<_>> =
        rows.map(|(peer, samples)| Some((*peer, table.ratio(samples)?))).collect();
    Some((table, bars?))
}

fn panel(table: &Table, bars: &[(Peer, f64)], x: usize, y: usize) -> String {
    let longest = bars.iter().map(|(_, ratio)| *ratio).fold(1.0, f64::max);
    let length = |ratio: f64| ratio / longest * BARS_WIDTH as f64;
    let (left, first) = (x + MARGIN + NAMES_WIDTH, y + HEAD_HEIGHT);
    let mut out = format!(
        "<text class=\"title\" x=\"{}\" y=\"{}\">{}: {}</text>\n",
        x + MARGIN,
        y + HEAD_HEIGHT - 12,
        table.workload.name,
        table.workload.title,
    );
    for (index, (peer, ratio)) in bars.iter().enumerate() {
        let top = first + index * ROW_HEIGHT;
        let base = top + BAR_HEIGHT - 2;
        let class = class(index, peer);
        // Writing to a String cannot fail.
        writeln!(
            out,
            "<text x=\"{}\" y=\"{base}\" text-anchor=\"end\">{}</text>\
             <rect class=\"{class}\" x=\"{left}\" y=\"{top}\" width=\"{:.1}\" \
             height=\"{BAR_HEIGHT}\" rx=\"2\"/>\
             <text class=\"number\" x=\"{}\" y=\"{base}\" text-anchor=\"end\">{ratio:.2}</text>",
            left - 8,
            peer.title(),
            length(*ratio),
            x + PANEL_WIDTH - MARGIN,
        )
        .ok();
    }
    let (one, bottom) = (left as f64 + length(1.0), first + bars.len() * ROW_HEIGHT - 6);
    writeln!(
        out,
        "<line class=\"one\" x1=\"{one:.1}\" y1=\"{}\" x2=\"{one:.1}\" y2=\"{bottom}\"/>",
        first - 3
    )
    .ok();
    out
}

/// The first bar is fullduplex.
fn class(index: usize, peer: &Peer) -> &'static str {
    match (index, peer.kind) {
        (_, kind) if kind.is_raw() => "raw",
        (0, _) | (_, Kind::PerCore) => "ours",
        _ => "theirs",
    }
}
