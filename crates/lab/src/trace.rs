//! A record of all events of a `WebSocket`.

use std::sync::{Arc, Mutex, PoisonError};

use fullduplex::{Builder, Data, Event, EventType, ReadyState, WebSocket};

use crate::guarded::guarded;

/// All events of a `WebSocket`, from its construction to its end.
#[derive(Debug, Clone)]
pub struct Trace {
    /// `open`, `message "text"`, `message [1, 2]`, `error`, `close 1000 "reason" clean` or the
    /// same with `unclean`.
    pub events: Vec<String>,
    /// The ready state during each event.
    pub states: Vec<ReadyState>,
    /// The ready state after the last event.
    pub ready_state: ReadyState,
    /// The text of `failure()`.
    pub failure: Option<String>,
    /// The subprotocol at the end.
    pub protocol: String,
}

impl Trace {
    /// The events of a connection that opens and closes with 1000.
    pub const OPENED_AND_CLOSED: [&'static str; 2] = ["open", r#"close 1000 "" clean"#];
    /// The close event of every failure.
    pub const FAILED: &'static str = r#"close 1006 "" unclean"#;

    /// Opens the socket and records its events until the end.
    pub async fn record(socket: Builder) -> Self {
        Self::record_with(socket, |_| {}).await
    }

    /// Does the same as [`Trace::record`], and calls `begin` with the new socket, which may add listeners.
    pub async fn record_with(socket: Builder, begin: impl FnOnce(&WebSocket)) -> Self {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let socket = socket.open_with(|socket| {
            for event_type in
                [EventType::Open, EventType::Message, EventType::Error, EventType::Close]
            {
                let seen = Arc::clone(&seen);
                socket.add_event_listener(event_type, move |socket, event| {
                    let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
                    seen.push((describe(event), socket.ready_state()));
                });
            }
        });
        let socket = socket.expect("the URL is valid");
        begin(&socket);
        guarded("the close event", socket.closed()).await;
        // The listeners are dropped now. A stream of events detects events after the end.
        tokio::task::yield_now().await;
        let mut late = socket.events();
        let mut seen = std::mem::take(&mut *seen.lock().unwrap_or_else(PoisonError::into_inner));
        while let Some(event) = late.try_next() {
            seen.push((format!("late: {}", describe(&event)), socket.ready_state()));
        }
        let (events, states) = seen.into_iter().unzip();
        Self {
            events,
            states,
            ready_state: socket.ready_state(),
            failure: socket.failure().map(|failure| failure.to_string()),
            protocol: socket.protocol(),
        }
    }

    /// Checks that exactly these events fired.
    #[track_caller]
    pub fn assert_events(&self, expected: &[&str]) {
        assert_eq!(self.events, expected, "the failure was {:?}", self.failure);
        assert_eq!(self.ready_state, ReadyState::Closed);
    }

    /// Checks that the socket failed after the events `before`: with one `error` and one `close`, both in
    /// state CLOSED, and a failure whose text contains `cause`.
    #[track_caller]
    pub fn assert_failed(&self, before: &[&str], cause: &str) {
        self.assert_events(&[before, &["error", Self::FAILED]].concat());
        assert_eq!(self.states[before.len()..], [ReadyState::Closed; 2]);
        let failure = self.failure.as_deref().unwrap_or_default();
        assert!(failure.contains(cause), "the failure is {failure:?}, which lacks {cause:?}");
    }
}

/// Returns an event and its fields as one line.
fn describe(event: &Event) -> String {
    match event {
        Event::Message(message) => match &message.data {
            Data::Text(text) => format!("message {text:?}"),
            Data::Blob(bytes) | Data::ArrayBuffer(bytes) => format!("message {:?}", &bytes[..]),
        },
        Event::Close(close) => {
            let clean = if close.was_clean { "clean" } else { "unclean" };
            format!("close {} {:?} {clean}", close.code, close.reason)
        }
        Event::Open | Event::Error => event.event_type().name().to_owned(),
    }
}
