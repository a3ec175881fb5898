use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use fullduplex_net::proto::Url;

use super::happening::Happening;
use super::{json, text};
use crate::output::Stdout;

/// Tells what happens, to people or to machines.
#[derive(Debug)]
pub(super) struct Screen {
    pub(super) form: Form,
    pub(super) stdout: Stdout,
}

/// How it is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// As JSON, one event in a line.
    Json,
    /// As lines of so many characters.
    Lines(usize),
    /// As lines, and all of what has passed below them.
    Full,
}

/// A connection that is tapped.
#[derive(Debug)]
pub(super) struct Connection<'a> {
    pub(super) number: u64,
    /// Where the client is.
    pub(super) peer: SocketAddr,
    screen: &'a Screen,
    start: Instant,
    /// When something was told last.
    last: Mutex<Instant>,
}

/// When something happened on a connection.
#[derive(Debug, Clone, Copy)]
pub(super) struct When {
    pub(super) connection: u64,
    /// Since the connection came.
    pub(super) time: Duration,
    /// Since something happened before.
    pub(super) since: Duration,
}

impl Screen {
    /// Tells where clients may come, and where they are led.
    pub(super) fn listening(&self, address: SocketAddr, target: &Url) {
        let url = format!("ws://{address}/");
        match self.form {
            Form::Json => self.stdout.print(json::listening(&url, target.as_str())),
            Form::Lines(_) | Form::Full => anstream::eprintln!("tapping {target} at {url}"),
        }
    }
}

impl<'a> Connection<'a> {
    pub(super) fn new(number: u64, peer: SocketAddr, screen: &'a Screen) -> Self {
        let now = Instant::now();
        Self { number, peer, screen, start: now, last: Mutex::new(now) }
    }

    pub(super) fn tell(&self, happening: &Happening<'_>) {
        let now = Instant::now();
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let before = std::mem::replace(&mut *last, now);
        let when = When {
            connection: self.number,
            time: now - self.start,
            since: now.saturating_duration_since(before),
        };
        match self.screen.form {
            Form::Json => self.screen.stdout.print(json::event(when, happening)),
            form => self.screen.stdout.print(text::lines(when, happening, form)),
        }
    }
}
