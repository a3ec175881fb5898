//! The record of a run.

use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use super::link::Fault;
use super::plan::Side;

/// The lines of a run, if they are kept, and a hash of all lines.
#[derive(Debug, Default)]
pub struct Trace {
    lines: Option<Vec<Line>>,
    hasher: DefaultHasher,
}

#[derive(Debug, Hash)]
struct Line {
    at: Duration,
    event: TraceEvent,
}

#[derive(Debug, Hash)]
pub(super) enum TraceEvent {
    Connects,
    Fault(Fault),
    Shutdown,
    Opened(usize, Side),
    NotOpened(usize, String),
    Sent(usize, Side, u64),
    Received(usize, Side, u64),
    Closes(usize, Side),
    Drops(usize, Side),
    /// With the code of the peer's Close.
    Ended(usize, Side, Option<u16>),
}

impl Trace {
    /// Makes a trace that keeps the hash only.
    pub fn hashing() -> Self {
        Self::default()
    }

    /// Makes a trace that keeps all lines.
    pub fn keeping() -> Self {
        Self { lines: Some(Vec::new()), ..Self::default() }
    }

    /// Returns the hash of all lines.
    pub fn hash(&self) -> u64 {
        self.hasher.finish()
    }

    pub(super) fn note(&mut self, at: Duration, event: TraceEvent) {
        let line = Line { at, event };
        line.hash(&mut self.hasher);
        if let Some(lines) = &mut self.lines {
            lines.push(line);
        }
    }
}

impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Line { at, event } in self.lines.iter().flatten() {
            writeln!(f, "{:>9.3} {event:?}", at.as_secs_f64())?;
        }
        Ok(())
    }
}
