use std::time::Duration;

use serde_json::{Value, json};

use super::record::Times;
use super::result::BenchResult;
use super::worker::Load;

/// Returns the result as JSON. Times are in seconds.
pub(super) fn value(result: &BenchResult) -> Value {
    let BenchResult { run, cut_short, secrets } = result;
    let record = run.record.borrow();
    let window = record.window();
    let (stalls, stalled) = run.watch.borrow().stalls(window.start, window.end);
    let (rate, in_flight) = match run.load {
        Load::Open { rate } => (Some(rate), None),
        Load::Closed { in_flight } => (None, Some(in_flight)),
    };
    json!({
        "url": secrets.url(run.url.as_str()),
        "load": {
            "connections": run.connections,
            "rate": rate,
            "in_flight": in_flight,
            "size": run.payload.size(),
        },
        "seconds": seconds(window.end - window.start),
        "cut_short": cut_short,
        "connections": {
            "opened": run.counts.opened.get(),
            "connecting": times(&record.connecting),
        },
        "sent": record.sent,
        "answered": record.answered,
        "wrong": record.wrong,
        "unasked": record.unasked,
        "lost": record.lost(),
        "unsent": record.unsent,
        "errors": record.errors,
        "rate": record.rate(),
        "bytes_per_second": record.rate() * run.payload.size() as f64,
        "latency": times(&record.latency),
        "tool": {
            "late": times(&record.own_delay),
            "unsent": record.own_unsent,
            "stalls": stalls,
            "stalled": seconds(stalled),
            "apart": times(&record.apart),
        },
    })
}

fn times(times: &Times) -> Value {
    if times.len() == 0 {
        return json!({ "count": 0 });
    }
    json!({
        "count": times.len(),
        "p50": seconds(times.at(0.5)),
        "p75": seconds(times.at(0.75)),
        "p90": seconds(times.at(0.9)),
        "p99": seconds(times.at(0.99)),
        "p99.9": seconds(times.at(0.999)),
        "p99.99": seconds(times.at(0.9999)),
        "max": seconds(times.max()),
    })
}

fn seconds(duration: Duration) -> f64 {
    duration.as_secs_f64()
}
