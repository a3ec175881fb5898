use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use fullduplex_net::proto::Url;

use super::event::{EventTime, TapEvent};
use super::{json, text};
use crate::output::{Output, Pen};
use crate::secrets::Secrets;

/// Writes events, as text or as JSON.
#[derive(Debug)]
pub(super) struct Screen {
    pub(super) form: Form,
    pub(super) output: Output,
    pub(super) secrets: Secrets,
}

/// The form of the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// JSON, one event per line.
    Json,
    /// Lines of text.
    Text(text::Layout),
}

/// A tapped connection, or a stream of one.
#[derive(Debug)]
pub(super) struct Connection<'a> {
    number: u64,
    stream: Option<u32>,
    /// The address of the client.
    pub(super) peer: SocketAddr,
    screen: &'a Screen,
    start: Instant,
    /// The time of the previous event.
    last: Mutex<Instant>,
}

impl Screen {
    /// Prints the address for clients, and the server to which they are connected.
    pub(super) async fn listening(&self, address: SocketAddr, target: &Url) {
        let url = format!("ws://{address}/");
        let target = self.secrets.url(target.as_str());
        match self.form {
            Form::Json => {
                self.output.print(0, move |pen| json::listening(pen, &url, &target)).await;
            }
            Form::Text(_) => self.output.note(format!("tapping {target} at {url}")),
        }
    }
}

impl<'a> Connection<'a> {
    pub(super) fn new(number: u64, peer: SocketAddr, screen: &'a Screen) -> Self {
        let now = Instant::now();
        Self { number, stream: None, peer, screen, start: now, last: Mutex::new(now) }
    }

    /// Returns a stream of this connection. Its times start when it is opened.
    pub(super) fn stream(&self, id: u32) -> Self {
        Self { stream: Some(id), ..Self::new(self.number, self.peer, self.screen) }
    }

    /// Writes an event. Waits until there is room.
    pub(super) async fn report(&self, event: TapEvent) {
        let now = Instant::now();
        let before = {
            let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::replace(&mut *last, now)
        };
        let when = EventTime {
            connection: self.number,
            stream: self.stream,
            time: now - self.start,
            since: now.saturating_duration_since(before),
        };
        let (form, secrets) = (self.screen.form, self.screen.secrets);
        let weight = event.weight();
        let draw = move |pen: &mut Pen| match form {
            Form::Json => json::event(pen, when, &event, secrets),
            Form::Text(layout) => text::show(pen, when, &event, layout, secrets),
        };
        self.screen.output.print(weight, draw).await;
    }
}
