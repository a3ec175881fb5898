use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use fullduplex_net::proto::{CloseFrame, Message};
use tokio::sync::Notify;

use super::builder::Plan;
use super::outbox::Outbox;
use super::schedule::{Phase, Schedule};
use super::{
    Backoff, LostCause, OutboxFullError, OutboxLimits, ReconnectState, ReconnectingEvent,
    ReconnectingEventType, ReconnectingWebSocket, driver,
};
use crate::native::runtime;
use crate::native::shared::undisturbed;
use crate::object::error::Error;
use crate::object::event::{BinaryType, CloseEvent, ReadyState};
use crate::object::listeners::Listeners;
use crate::object::websocket::WebSocket;
use crate::rules::machine;

/// What runs when an event fires.
pub(super) type Callback = Arc<Mutex<dyn FnMut(&ReconnectingWebSocket, &ReconnectingEvent) + Send>>;

/// One socket, as its handles and its driver share it.
pub(super) struct Shared {
    state: Mutex<State>,
    /// The driver looks at the state again.
    pub(super) wanted: Notify,
    /// Whoever waits for the state to change looks at it again.
    pub(super) changed: Notify,
}

pub(super) struct State {
    pub(super) schedule: Schedule,
    /// The connection that stands, or is being opened.
    pub(super) connection: Option<WebSocket>,
    pub(super) wish: Option<Wish>,
    pub(super) outbox: Outbox,
    /// What was sent to a socket that was closing or closed: counted, as the standard has it.
    discarded: u64,
    pub(super) binary_type: BinaryType,
    pub(super) listeners: Listeners<Callback, ReconnectingEventType>,
    /// The events for the stream of this number, if there is one.
    pub(super) stream: Option<(u64, VecDeque<ReconnectingEvent>)>,
    streams: u64,
    /// Why the latest connection, or attempt, has ended.
    pub(super) failure: Option<LostCause>,
    /// The close event, once it was fired.
    pub(super) closed: Option<CloseEvent>,
    /// With the driver while there is one.
    pub(super) plan: Option<Plan>,
    handles: usize,
}

/// What the application wants of the driver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Wish {
    Close(Option<CloseFrame>),
    Reconnect,
}

impl Shared {
    pub(super) fn new(plan: Plan, backoff: Backoff, outbox: OutboxLimits) -> Self {
        let state = State {
            schedule: Schedule::new(backoff),
            connection: None,
            wish: None,
            outbox: Outbox::new(outbox),
            discarded: 0,
            binary_type: BinaryType::default(),
            listeners: Listeners::default(),
            stream: None,
            streams: 0,
            failure: None,
            closed: None,
            plan: Some(plan),
            handles: 0,
        };
        Self { state: Mutex::new(state), wanted: Notify::new(), changed: Notify::new() }
    }

    /// Locks the state. No code of users runs under the lock.
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts the driver, if it is not running.
    pub(super) fn start(self: &Arc<Self>) {
        let plan = self.state().plan.take();
        if let Some(plan) = plan {
            runtime::spawn(driver::run(Arc::clone(self), plan));
        }
    }

    pub(super) fn send(&self, message: Message) -> Result<(), OutboxFullError> {
        {
            let mut state = self.state();
            if matches!(state.ready_state(), ReadyState::Closing | ReadyState::Closed) {
                state.discarded += message.len() as u64;
                return Ok(());
            }
            state.outbox.push(message)?;
        }
        self.wanted.notify_one();
        Ok(())
    }

    pub(super) fn close(&self, code: Option<u16>, reason: Option<&str>) -> Result<(), Error> {
        let frame = machine::close_frame(code, reason)?;
        let mut state = self.state();
        if matches!(state.ready_state(), ReadyState::Connecting | ReadyState::Open) {
            state.wish = Some(Wish::Close(frame));
            drop(state);
            self.wanted.notify_one();
        }
        Ok(())
    }

    pub(super) fn reconnect(self: &Arc<Self>) {
        let mut state = self.state();
        state.wish = Some(Wish::Reconnect);
        state.closed = None;
        drop(state);
        self.wanted.notify_one();
        self.start();
    }

    /// Fires an event: for the stream, if there is one, and for whom it concerns.
    pub(super) fn fire(self: &Arc<Self>, event: ReconnectingEvent) {
        let concerned = {
            let mut state = self.state();
            if let ReconnectingEvent::Close(close) = &event {
                state.closed = Some(close.clone());
            }
            if let Some((_, events)) = &mut state.stream {
                events.push_back(event.clone());
            }
            state.listeners.concerned(event.event_type())
        };
        self.changed.notify_waiters();
        if concerned.is_empty() {
            return;
        }
        let socket = ReconnectingWebSocket::new_handle(self);
        for listener in concerned {
            let call = self.state().listeners.take_call(listener);
            let Some(callback) = call else { continue };
            undisturbed(|| {
                callback.lock().unwrap_or_else(PoisonError::into_inner)(&socket, &event);
            });
        }
    }

    /// Makes a new stream, in place of any other; returns its number.
    pub(super) fn add_stream(&self) -> u64 {
        let number = {
            let mut state = self.state();
            state.streams += 1;
            let number = state.streams;
            state.stream = Some((number, VecDeque::new()));
            number
        };
        self.changed.notify_waiters();
        self.wanted.notify_one();
        number
    }

    pub(super) fn drop_stream(&self, number: u64) {
        let mut state = self.state();
        let old = state.stream.take_if(|(stream, _)| *stream == number);
        drop(state);
        drop(old);
        self.wanted.notify_one();
    }

    pub(super) fn add_handle(&self) {
        self.state().handles += 1;
    }

    /// A socket that nobody holds and whose events nobody hears closes itself.
    pub(super) fn drop_handle(&self) {
        let forgotten = {
            let mut state = self.state();
            state.handles -= 1;
            state.handles == 0 && state.listeners.is_empty()
        };
        if forgotten {
            // Without arguments there is nothing to refuse.
            self.close(None, None).ok();
        }
    }
}

impl State {
    pub(super) fn ready_state(&self) -> ReadyState {
        match (self.schedule.phase(), &self.wish) {
            (Phase::Stopped, Some(Wish::Reconnect)) => ReadyState::Connecting,
            (Phase::Stopped, _) => ReadyState::Closed,
            (_, Some(Wish::Close(_))) => ReadyState::Closing,
            (Phase::Open { .. }, None) => ReadyState::Open,
            _ => ReadyState::Connecting,
        }
    }

    pub(super) fn reconnect_state(&self) -> ReconnectState {
        match self.ready_state() {
            ReadyState::Open => ReconnectState::Open,
            ReadyState::Closing => ReconnectState::Closing,
            ReadyState::Closed => ReconnectState::Stopped,
            ReadyState::Connecting => match (self.schedule.phase(), &self.wish) {
                (Phase::Waiting { until }, None) => {
                    ReconnectState::Waiting { retry: self.schedule.retries(), until }
                }
                (_, Some(Wish::Reconnect)) => ReconnectState::Connecting { retry: 0 },
                _ => ReconnectState::Connecting { retry: self.schedule.retries() },
            },
        }
    }

    pub(super) fn buffered_amount(&self) -> u64 {
        let handed_over = self.connection.as_ref().map_or(0, WebSocket::buffered_amount);
        self.discarded + self.outbox.waiting_bytes() + handed_over
    }

    /// Whether the stream has so much to take that the driver should wait for it.
    pub(super) fn stream_is_full(&self) -> bool {
        self.stream.as_ref().is_some_and(|(_, events)| events.len() >= STREAM_EVENTS)
    }
}

/// While so many events wait for a stream, the connection is not read.
const STREAM_EVENTS: usize = 1024;
