//! A run, written down.

use std::collections::VecDeque;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use fullduplex_proto::{Closed, Message, Part, Received, Role};

use super::plan::FaultKind;

/// What happened in a run: the last lines of it, and a hash of all.
#[derive(Debug)]
pub struct Trace {
    lines: VecDeque<Line>,
    keep: usize,
    /// `None` in a trace that takes nothing.
    hasher: Option<DefaultHasher>,
}

#[derive(Debug, Hash)]
struct Line {
    at: Duration,
    who: Role,
    what: Happening,
}

/// Something that happened to an end, or that it did.
#[derive(Debug, Hash)]
pub(super) enum Happening {
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
    Heard(Summary),
    Failed(String),
    HeardEnd,
    ShutDown,
    /// The transport carries nothing from this end for a while.
    Held(Duration),
    /// The application does not read for a while.
    Paused(Duration),
    Fault(FaultKind),
    Ended {
        code: u16,
        clean: bool,
        failure: String,
    },
}

/// A message or a control frame in few words.
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
    /// A trace that will keep the last `keep` lines, and the hash.
    pub fn keeping(keep: usize) -> Self {
        Self { lines: VecDeque::new(), keep, hasher: Some(DefaultHasher::new()) }
    }

    /// A trace that takes nothing, which saves time.
    pub fn off() -> Self {
        Self { lines: VecDeque::new(), keep: 0, hasher: None }
    }

    /// A number that two different runs hardly share.
    pub fn hash(&self) -> Option<u64> {
        self.hasher.as_ref().map(DefaultHasher::finish)
    }

    pub(super) fn note(&mut self, at: Duration, who: Role, what: Happening) {
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

    /// Takes bytes on the wire into the hash.
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

impl From<&Closed> for Happening {
    fn from(closed: &Closed) -> Self {
        let failure = closed.failure().map(|failure| failure.to_string()).unwrap_or_default();
        Self::Ended { code: closed.code(), clean: closed.was_clean(), failure }
    }
}
