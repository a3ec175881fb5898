//! The record of a run.

use std::collections::VecDeque;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use fullduplex_proto::{Closed, Message, Part, Received, Role};

use super::plan::FaultKind;

/// The last lines of a run, and a hash of all lines.
#[derive(Debug)]
pub struct Trace {
    lines: VecDeque<Line>,
    keep: usize,
    /// `None` if the trace is off.
    hasher: Option<DefaultHasher>,
}

#[derive(Debug, Hash)]
struct Line {
    at: Duration,
    who: Role,
    what: TraceEvent,
}

/// Something that an end did, or that happened to it.
#[derive(Debug, Hash)]
pub(super) enum TraceEvent {
    Sent(Summary),
    Rejected,
    Delivers {
        parts: bool,
    },
    Rests(Duration),
    Wrote {
        bytes: usize,
        payload: usize,
    },
    WriteFailed,
    Read {
        bytes: usize,
    },
    Received(Summary),
    Failed(String),
    ReadEnd,
    ShutDown,
    /// The transport pauses for this long.
    Held(Duration),
    /// The application does not read for this long.
    Paused(Duration),
    Fault(FaultKind),
    Ended {
        code: u16,
        clean: bool,
        failure: String,
    },
}

/// A short description of a message or a control frame.
#[derive(Debug, Hash)]
pub(super) enum Summary {
    Text(usize),
    Binary(usize),
    Part(usize),
    LastPart(usize),
    Ping(usize),
    Pong(usize),
    Close(Option<u16>),
}

impl Trace {
    /// Makes a trace that keeps the last `keep` lines and the hash.
    pub fn keeping(keep: usize) -> Self {
        Self { lines: VecDeque::new(), keep, hasher: Some(DefaultHasher::new()) }
    }

    /// Makes a trace that records nothing, which saves time.
    pub fn off() -> Self {
        Self { lines: VecDeque::new(), keep: 0, hasher: None }
    }

    /// Returns the hash of all lines and all written bytes, or `None` if the trace is off.
    pub fn hash(&self) -> Option<u64> {
        self.hasher.as_ref().map(DefaultHasher::finish)
    }

    pub(super) fn note(&mut self, at: Duration, who: Role, what: TraceEvent) {
        let Some(hasher) = &mut self.hasher else {
            return;
        };
        let line = Line { at, who, what };
        line.hash(hasher);
        self.lines.push_back(line);
        if self.lines.len() > self.keep {
            self.lines.pop_front();
        }
    }

    /// Adds written bytes to the hash.
    pub(super) fn note_wire(&mut self, bytes: &[u8]) {
        if let Some(hasher) = &mut self.hasher {
            hasher.write(bytes);
        }
    }
}

impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Line { at, who, what } in &self.lines {
            writeln!(f, "{:>12.6} {who:?} {what:?}", at.as_secs_f64())?;
        }
        Ok(())
    }
}

impl From<&Message> for Summary {
    fn from(message: &Message) -> Self {
        match message {
            Message::Text(text) => Self::Text(text.as_bytes().len()),
            Message::Binary(bytes) => Self::Binary(bytes.len()),
        }
    }
}

impl From<&Part> for Summary {
    fn from(part: &Part) -> Self {
        if part.last { Self::LastPart(part.content.len()) } else { Self::Part(part.content.len()) }
    }
}

impl From<&Received> for Summary {
    fn from(event: &Received) -> Self {
        match event {
            Received::Message(message) => message.into(),
            Received::Part(part) => part.into(),
            Received::Ping(payload) => Self::Ping(payload.len()),
            Received::Pong(payload) => Self::Pong(payload.len()),
            Received::Close(frame) => Self::Close(frame.as_ref().map(|frame| frame.code.get())),
        }
    }
}

impl From<&Closed> for TraceEvent {
    fn from(closed: &Closed) -> Self {
        let failure = closed.failure().map(|failure| failure.to_string()).unwrap_or_default();
        Self::Ended { code: closed.code(), clean: closed.was_clean(), failure }
    }
}
