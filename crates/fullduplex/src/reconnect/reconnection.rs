//! The state of a reconnecting socket that its handles and its driver share.

use std::collections::VecDeque;
use std::sync::Arc;

use fullduplex_proto::{CloseFrame, Message};

use crate::backend::Instant;
use crate::object::target::{Callbacks, Fired, MessageDemand, Object, Target};
use crate::object::wakers::{Host, Wakers};
use crate::object::websocket::WebSocket;
use crate::reconnect::backoff::Backoff;
use crate::reconnect::event::{LostCause, ReconnectingEvent, ReconnectingEventType};
use crate::reconnect::options::{OutboxFullError, OutboxLimits};
use crate::reconnect::outbox::Outbox;
use crate::reconnect::plan::Plan;
use crate::reconnect::schedule::{Phase, Schedule};
use crate::reconnect::state::ReconnectState;
use crate::rules::error::Error;
use crate::rules::event::{BinaryType, CloseEvent, ReadyState};
use crate::rules::machine;

pub(crate) type ReconnectTarget = Target<Reconnection>;

pub(crate) struct Reconnection {
    pub(super) schedule: Schedule,
    /// The connection that is open or connecting.
    pub(super) connection: Option<WebSocket>,
    pub(super) command: Option<Command>,
    pub(super) outbox: Outbox,
    /// Bytes sent to a closing or closed socket. `buffered_amount` includes them, as in the standard.
    discarded: u64,
    pub(super) binary_type: BinaryType,
    inbox: Inbox,
    usage: Usage,
    /// Why the latest connection ended or the latest attempt failed.
    pub(super) failure: Option<LostCause>,
    /// `None` while the driver has it.
    pub(super) plan: Option<Plan>,
}

/// A request of the application to the driver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Command {
    Close(Option<CloseFrame>),
    Reconnect,
}

/// Whether the application has sent a message. An application that sends may never listen. The driver
/// therefore drops its events that wait for a first listener when there are too many of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Usage {
    Unused,
    Sends,
}

/// The events that no host has fired yet.
#[derive(Default)]
struct Inbox {
    events: VecDeque<ReconnectingEvent>,
    bytes: usize,
}

impl Inbox {
    fn push(&mut self, event: ReconnectingEvent) {
        self.bytes += bytes(&event);
        self.events.push_back(event);
    }

    fn pop(&mut self, demand: MessageDemand) -> Option<ReconnectingEvent> {
        let is_message = matches!(self.events.front(), Some(ReconnectingEvent::Message(_)));
        if demand == MessageDemand::Leave && is_message {
            return None;
        }
        let event = self.events.pop_front()?;
        self.bytes -= bytes(&event);
        Some(event)
    }

    fn is_full(&self) -> bool {
        self.events.len() >= INBOX_EVENTS || self.bytes >= INBOX_BYTES
    }
}

fn bytes(event: &ReconnectingEvent) -> usize {
    match event {
        ReconnectingEvent::Message(message) => message.data.as_bytes().len(),
        _ => 0,
    }
}

impl Reconnection {
    pub(super) fn new(plan: Plan, backoff: Backoff, outbox: OutboxLimits) -> Self {
        Self {
            schedule: Schedule::new(backoff),
            connection: None,
            command: None,
            outbox: Outbox::new(outbox),
            discarded: 0,
            binary_type: BinaryType::default(),
            inbox: Inbox::default(),
            usage: Usage::Unused,
            failure: None,
            plan: Some(plan),
        }
    }

    pub(super) fn ready_state(&self) -> ReadyState {
        match (self.schedule.phase(), &self.command) {
            (Phase::Stopped, Some(Command::Reconnect)) => ReadyState::Connecting,
            (Phase::Stopped, _) => ReadyState::Closed,
            (_, Some(Command::Close(_))) => ReadyState::Closing,
            (Phase::Open { .. }, None) => ReadyState::Open,
            _ => ReadyState::Connecting,
        }
    }

    pub(super) fn reconnect_state(&self) -> ReconnectState {
        match self.ready_state() {
            ReadyState::Open => ReconnectState::Open,
            ReadyState::Closing => ReconnectState::Closing,
            ReadyState::Closed => ReconnectState::Stopped,
            ReadyState::Connecting => match (self.schedule.phase(), &self.command) {
                (Phase::Waiting { until }, None) => {
                    let retry_in = until.saturating_duration_since(Instant::now());
                    ReconnectState::Waiting { retry: self.schedule.retries(), retry_in }
                }
                (_, Some(Command::Reconnect)) => ReconnectState::Connecting { retry: 0 },
                _ => ReconnectState::Connecting { retry: self.schedule.retries() },
            },
        }
    }

    pub(super) fn buffered_amount(&self) -> u64 {
        let handed_over = self.connection.as_ref().map_or(0, WebSocket::buffered_amount);
        self.discarded + self.outbox.waiting_bytes() + handed_over
    }

    pub(super) fn is_open(&self) -> bool {
        matches!(self.schedule.phase(), Phase::Open { .. })
    }

    pub(super) fn close(&mut self, frame: Option<CloseFrame>, wakers: &mut Wakers) {
        if matches!(self.ready_state(), ReadyState::Connecting | ReadyState::Open) {
            self.command = Some(Command::Close(frame));
            wakers.wake_driver();
        }
    }
}

impl Object for Reconnection {
    type Event = ReconnectingEvent;
    type EventType = ReconnectingEventType;
    type Task = ReconnectingEvent;
    type DropLater = ();

    fn event_type(event: &ReconnectingEvent) -> ReconnectingEventType {
        event.event_type()
    }

    fn close_event(event: &ReconnectingEvent) -> Option<&CloseEvent> {
        match event {
            ReconnectingEvent::Close(close) => Some(close),
            _ => None,
        }
    }

    fn next_task(&mut self, demand: MessageDemand) -> Option<ReconnectingEvent> {
        self.inbox.pop(demand)
    }

    fn run(&mut self, event: ReconnectingEvent, _: &mut Wakers) -> Fired<ReconnectingEvent> {
        Fired { first: Some(event), second: None }
    }

    fn is_full(&self) -> bool {
        self.inbox.is_full()
    }

    /// Every listener counts, because the socket may connect again.
    fn can_fire(&self, _: ReconnectingEventType) -> bool {
        true
    }

    /// The listeners stay, because the socket may connect again.
    fn finish(&mut self, _: &mut Callbacks<Self>) {}

    fn close_unobserved(&mut self, wakers: &mut Wakers) {
        self.close(None, wakers);
    }
}

/// Called by the application.
impl ReconnectTarget {
    pub(super) fn send(&self, message: Message) -> Result<(), OutboxFullError> {
        let mut state = self.state();
        state.object.usage = Usage::Sends;
        if matches!(state.object.ready_state(), ReadyState::Closing | ReadyState::Closed) {
            state.object.discarded += message.len() as u64;
            return Ok(());
        }
        state.object.outbox.push(message)?;
        state.wakers.wake_driver();
        Ok(())
    }

    pub(super) fn close(&self, code: Option<u16>, reason: Option<&str>) -> Result<(), Error> {
        self.close_with_frame(machine::close_frame(code, reason)?);
        Ok(())
    }

    pub(crate) fn close_with_frame(&self, frame: Option<CloseFrame>) {
        let mut state = self.state();
        let state = &mut *state;
        state.object.close(frame, &mut state.wakers);
    }
}

/// Called by the driver.
impl ReconnectTarget {
    /// Posts an event, and fires it if the driver is the host.
    pub(super) fn post(self: &Arc<Self>, event: ReconnectingEvent) {
        {
            let mut state = self.state();
            state.object.inbox.push(event);
            state.wakers.wake_stream();
            state.wakers.wake_waiting();
        }
        self.run_as_driver();
    }

    /// Drops the events that wait for a first listener, if there are too many of them and the
    /// application has sent a message.
    pub(super) fn drop_unclaimed_events(&self) {
        let drops = {
            let state = self.state();
            let is_unclaimed = state.wakers.host() == Host::Unclaimed;
            is_unclaimed && state.object.is_full() && state.object.usage == Usage::Sends
        };
        if drops {
            self.claim();
        }
    }
}

/// The limits of the inbox. The driver does not read while this many events, or this many bytes of messages,
/// wait for the host.
const INBOX_EVENTS: usize = 1024;
const INBOX_BYTES: usize = 1 << 20;
