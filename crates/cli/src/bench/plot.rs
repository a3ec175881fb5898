use std::fmt::Write as _;
use std::time::Duration;

use super::result::BenchResult;
use super::worker::Load;
use crate::figures::{count, counted, time};

const WIDTH: f64 = 800.0;
const HEIGHT: f64 = 400.0;
const LEFT: f64 = 80.0;
const RIGHT: f64 = 40.0;
const TOP: f64 = 56.0;
const BOTTOM: f64 = 56.0;

/// The number of points of the curve for each additional nine of a percentile.
const STEPS: u32 = 40;

/// Returns an SVG drawing of the latency percentiles. Each additional nine has the same width on
/// the axis, because the rarest latencies matter most.
pub(super) fn svg(result: &BenchResult) -> String {
    let run = &result.run;
    let record = run.record.borrow();
    let times = &record.latency;
    // The number of nines depends on the number of messages.
    let nines = (times.len().max(10) as f64).log10().ceil().clamp(1.0, 6.0);
    let top = round_up(times.max());
    let x = |nine: f64| LEFT + nine / nines * (WIDTH - LEFT - RIGHT);
    let y = |time: Duration| {
        let part = time.as_secs_f64() / top.as_secs_f64();
        HEIGHT - BOTTOM - part * (HEIGHT - TOP - BOTTOM)
    };
    let mut svg = Svg::new();
    for quarter in 0..=4u32 {
        let value = top * quarter / 4;
        svg.line((LEFT, y(value)), (WIDTH - RIGHT, y(value)));
        svg.text((LEFT - 8.0, y(value) + 4.0), "end", &time(value));
    }
    for nine in 0..=nines as u32 {
        let at = x(nine.into());
        svg.line((at, TOP), (at, HEIGHT - BOTTOM));
        svg.text((at, HEIGHT - BOTTOM + 20.0), "middle", PERCENTILES[nine as usize]);
    }
    let curve = (0..=STEPS * nines as u32).map(|step| {
        let nine = f64::from(step) / f64::from(STEPS);
        (x(nine), y(times.at(1.0 - 10f64.powf(-nine))))
    });
    svg.curve(curve);
    let load = match run.load {
        Load::Open { rate } => format!("{rate} messages/s"),
        Load::Closed { in_flight } => format!("a closed loop of {in_flight}"),
    };
    let connections = counted(run.connections.into(), "connection");
    let title = format!("{}: {connections}, {load}", result.secrets.url(run.url.as_str()));
    svg.text((LEFT, 24.0), "start", &title);
    let apart = match record.apart.len() {
        0 => String::new(),
        apart => format!("; {} kept apart: the tool stalled", count(apart)),
    };
    let about = format!("latency of {}{apart}", counted(times.len(), "message"));
    svg.text((LEFT, 42.0), "start", &about);
    svg.text(
        (WIDTH / 2.0, HEIGHT - 12.0),
        "middle",
        "percentile of messages answered within this time",
    );
    svg.end()
}

const PERCENTILES: [&str; 7] = ["0", "90", "99", "99.9", "99.99", "99.999", "99.9999"];

/// Rounds a time up to a round time that can be divided by four.
fn round_up(time: Duration) -> Duration {
    let nanos = (time.as_nanos() as f64).max(1000.0);
    let ten = 10f64.powf(nanos.log10().floor());
    let steps = [1.0, 2.0, 4.0, 6.0, 8.0, 10.0];
    let step = steps.into_iter().find(|step| step * ten >= nanos).unwrap_or(10.0);
    Duration::from_nanos((step * ten) as u64)
}

struct Svg(String);

impl Svg {
    fn new() -> Self {
        Self(format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\">\n{STYLE}\
             <rect width=\"{WIDTH}\" height=\"{HEIGHT}\" class=\"ground\"/>\n"
        ))
    }

    fn line(&mut self, (x1, y1): (f64, f64), (x2, y2): (f64, f64)) {
        self.write(format_args!(
            "<line class=\"grid\" x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\"/>\n"
        ));
    }

    fn text(&mut self, (x, y): (f64, f64), anchor: &str, text: &str) {
        let text = text.replace('&', "&amp;").replace('<', "&lt;");
        self.write(format_args!(
            "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{text}</text>\n"
        ));
    }

    fn curve(&mut self, points: impl Iterator<Item = (f64, f64)>) {
        let points: Vec<_> = points.map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        self.write(format_args!("<polyline class=\"curve\" points=\"{}\"/>\n", points.join(" ")));
    }

    fn end(self) -> String {
        self.0 + "</svg>\n"
    }

    fn write(&mut self, element: std::fmt::Arguments<'_>) {
        // Writing to a String cannot fail.
        self.0.write_fmt(element).ok();
    }
}

const STYLE: &str = "<style>\n\
    .ground { fill: #fff } text { font: 13px sans-serif; fill: #333 }\n\
    .grid { stroke: #ddd } .curve { fill: none; stroke: #06c; stroke-width: 2 }\n\
    @media (prefers-color-scheme: dark) {\n\
    .ground { fill: #181818 } text { fill: #ccc } .grid { stroke: #3a3a3a } .curve { stroke: #6af }\n\
    }\n</style>\n";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_axis_ends_above_the_longest_time() {
        for (nanos, end) in [(0, 1_000), (1_500, 2_000), (301_000_000, 400_000_000), (9, 1_000)] {
            assert_eq!(round_up(Duration::from_nanos(nanos)), Duration::from_nanos(end));
        }
    }
}
