//! The native backend of a `WebSocket`: the state machine of the standard, and the queues between
//! it and the driver.

use std::mem;
use std::sync::Arc;
use std::task::Context;

use fullduplex_proto::{CloseCode, CloseFrame, Message, Url};

use crate::host::batch::{Batch, Rest};
use crate::native::failure::Failure;
use crate::native::inbox::Inbox;
use crate::native::outbox::{Outbox, PlaceNumber};
use crate::object::target::{Callbacks, Fired, MessageDemand, Object, State, Target};
use crate::object::wakers::{Host, Wakers};
use crate::rules::error::Error;
use crate::rules::event::{BinaryType, CloseEvent, Event, EventType, ReadyState};
use crate::rules::machine::{Closing, Machine, Sending, Task};

/// One socket and its event target.
pub(crate) type SocketTarget = Target<SocketState>;

pub(crate) struct SocketState {
    pub(crate) url: Arc<Url>,
    pub(crate) machine: Machine,
    pub(crate) inbox: Inbox,
    pub(crate) outbox: Outbox,
    /// Why the connection failed, or `None` if it has not failed.
    pub(crate) failure: Option<Arc<Failure>>,
    amount: BufferedAmountUse,
    pings: Pings,
}

/// Whether the application watches `buffered_amount`. To wake a stream for each written message would
/// double the stream's work, so it is woken only if the application has read a positive amount.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum BufferedAmountUse {
    Unwatched,
    Watched,
}

/// The number of Pings that the application has requested, and the latest one that was answered.
#[derive(Debug, Default)]
struct Pings {
    sent: u64,
    answered: u64,
}

impl SocketState {
    pub(crate) fn new(url: Arc<Url>, machine: Machine) -> Self {
        Self {
            url,
            machine,
            inbox: Inbox::default(),
            outbox: Outbox::default(),
            failure: None,
            amount: BufferedAmountUse::Unwatched,
            pings: Pings::default(),
        }
    }

    pub(crate) fn ready_state(&self) -> ReadyState {
        self.machine.ready_state()
    }

    pub(crate) fn buffered_amount(&self) -> u64 {
        self.machine.buffered_amount()
    }

    pub(crate) fn protocol(&self) -> String {
        self.machine.protocol().to_owned()
    }

    pub(crate) fn extensions(&self) -> String {
        self.machine.extensions().to_owned()
    }

    pub(crate) fn binary_type(&self) -> BinaryType {
        self.machine.binary_type()
    }

    pub(crate) fn set_binary_type(&mut self, binary_type: BinaryType) {
        self.machine.set_binary_type(binary_type);
    }

    /// Returns the URL without its user and password.
    pub(crate) fn shown_url(&self) -> impl std::fmt::Debug {
        &self.url
    }

    /// Passes a message of `len` bytes to the machine. Returns whether it goes into the outbox.
    fn admit(&mut self, len: usize) -> Result<bool, Error> {
        let full = match self.machine.send(len, self.inbox.transmitted())? {
            Sending::Transmit => self.outbox.is_full(),
            Sending::Full => true,
            Sending::Discard => return Ok(false),
        };
        if full {
            self.outbox.abort = Some(Failure::BufferFull);
        }
        Ok(!full)
    }

    fn start_closing(&mut self, closing: Closing, wakers: &mut Wakers) {
        match closing {
            Closing::Handshake(frame) => self.outbox.close = Some(frame.into()),
            Closing::GiveUp => self.outbox.abort = Some(Failure::ClosedWhileConnecting),
            Closing::Nothing => return,
        }
        wakers.wake_driver();
    }

    pub(crate) fn pings_answered(&self) -> u64 {
        self.pings.answered
    }
}

impl Object for SocketState {
    type Event = Event;
    type EventType = EventType;
    type Task = Task;
    type DropLater = (Callbacks<Self>, Outbox);

    fn event_type(event: &Event) -> EventType {
        event.event_type()
    }

    fn close_event(event: &Event) -> Option<&CloseEvent> {
        match event {
            Event::Close(close) => Some(close),
            Event::Open | Event::Message(_) | Event::Error => None,
        }
    }

    fn next_task(&mut self, demand: MessageDemand) -> Option<Task> {
        self.inbox.pop(demand)
    }

    fn run(&mut self, task: Task, wakers: &mut Wakers) -> Fired<Event> {
        if matches!(task, Task::Transmitted(_)) {
            self.amount = BufferedAmountUse::Unwatched;
            wakers.wake_waiting();
        }
        let (first, second) = self.machine.run_for_events(task);
        Fired { first, second }
    }

    fn is_full(&self) -> bool {
        self.inbox.is_full()
    }

    fn can_fire(&self, event_type: EventType) -> bool {
        event_type.can_fire(self.machine.ready_state())
    }

    fn finish(&mut self, listeners: &mut Callbacks<Self>) -> Self::DropLater {
        (mem::take(listeners), mem::take(&mut self.outbox))
    }

    fn close_unobserved(&mut self, wakers: &mut Wakers) {
        // This cannot fail, because there are no arguments to check.
        if let Ok(closing) = self.machine.close(None, None) {
            self.start_closing(closing, wakers);
        }
    }
}

/// Called by the application.
impl SocketTarget {
    pub(crate) fn send(&self, message: Message) -> Result<(), Error> {
        self.feed(message)?;
        self.flush();
        Ok(())
    }

    /// Queues a message like `send`, without waking the driver.
    pub(crate) fn feed(&self, message: Message) -> Result<(), Error> {
        let mut state = self.claimed();
        if state.object.admit(message.len())? {
            state.object.outbox.push(message);
        }
        Ok(())
    }

    /// Wakes the driver for messages queued by `feed`.
    pub(crate) fn flush(&self) {
        self.state().wakers.wake_driver();
    }

    /// Sends a Ping. Returns its number, or `None` if the socket is closing.
    pub(crate) fn ping(&self) -> Result<Option<u64>, Error> {
        let mut state = self.claimed();
        let State { object, wakers, .. } = &mut *state;
        match object.machine.ready_state() {
            ReadyState::Connecting => return Err(Error::Connecting),
            ReadyState::Open => {}
            ReadyState::Closing | ReadyState::Closed => return Ok(None),
        }
        object.pings.sent += 1;
        object.outbox.ping = Some(object.pings.sent);
        wakers.wake_driver();
        Ok(Some(object.pings.sent))
    }

    /// Reserves the place of a message of `len` bytes. Returns `None` if it would be dropped.
    pub(crate) fn reserve(&self, len: usize) -> Result<Option<PlaceNumber>, Error> {
        let mut state = self.claimed();
        let object = &mut state.object;
        Ok(object.admit(len)?.then(|| object.outbox.reserve(len)))
    }

    /// Fills a reserved place. If there is no message, or if its length differs from the reserved length,
    /// the connection fails.
    pub(crate) fn fill(&self, place: PlaceNumber, message: Option<Message>) {
        let mut state = self.state();
        let filled = message.is_some_and(|message| state.object.outbox.fill(place, message));
        if !filled {
            state.object.outbox.abort = Some(Failure::Unfilled);
        }
        state.wakers.wake_driver();
    }

    pub(crate) fn close(&self, code: Option<u16>, reason: Option<&str>) -> Result<(), Error> {
        let mut state = self.claimed();
        let State { object, wakers, .. } = &mut *state;
        let closing = object.machine.close(code, reason)?;
        object.start_closing(closing, wakers);
        Ok(())
    }

    /// Closes the connection with a frame. The arguments of the frame were checked before.
    pub(crate) fn close_with_frame(&self, frame: Option<&CloseFrame>) {
        match frame {
            Some(frame) if frame.code == CloseCode::GOING_AWAY => self.disappear(),
            Some(frame) => {
                self.close(Some(frame.code.get()), Some(frame.reason.as_str())).ok();
            }
            None => {
                self.close(None, None).ok();
            }
        }
    }

    pub(crate) fn disappear(&self) {
        let mut state = self.claimed();
        let State { object, wakers, .. } = &mut *state;
        let closing = object.machine.disappear();
        object.start_closing(closing, wakers);
    }
}

/// Called by the driver.
impl SocketTarget {
    /// Queues tasks. [`State::announce`] notifies the host.
    pub(crate) fn post(&self, tasks: impl IntoIterator<Item = Task>) {
        let mut state = self.state();
        tasks.into_iter().for_each(|task| state.object.inbox.push(task));
    }

    /// Queues the last task of a connection that failed.
    pub(crate) fn post_failure(&self, failure: Failure) {
        let mut state = self.state();
        state.object.failure = Some(Arc::new(failure));
        state.object.inbox.push(Task::failed());
        state.announce();
    }

    /// Handles a Pong. A Pong answers its Ping and all earlier Pings (RFC6455-5.5.3-2).
    pub(crate) fn handle_pong(&self, payload: &[u8]) {
        let Ok(number) = payload.try_into().map(u64::from_be_bytes) else { return };
        let mut state = self.state();
        let pings = &mut state.object.pings;
        if pings.answered < number && number <= pings.sent {
            pings.answered = number;
            state.wakers.wake_waiting();
            state.wakers.wake_stream();
        }
    }

    /// Ends the socket if the driver ended too early.
    pub(crate) fn handle_driver_end(self: &Arc<Self>) {
        if !self.state().object.inbox.is_ending() {
            self.post_failure(Failure::of_lost_driver());
        }
        self.driver_gone();
    }

    /// Runs the tasks of up to `most` messages, if `stream` is the host and there are no listeners.
    pub(crate) fn run_messages(&self, stream: Host, cx: &Context<'_>, most: usize) -> Batch {
        let mut state = self.state();
        if !state.may_run(stream) || !state.listeners.is_empty() {
            return Batch::default();
        }
        let State { object, wakers, .. } = &mut *state;
        if object.is_full() {
            wakers.wake_driver();
        }
        if let Some(task) = object.inbox.pop_transmitted() {
            object.run(task, wakers);
        }
        let mut batch = Batch::default();
        while batch.messages.len() < most
            && let Some(message) = object.inbox.pop_message()
        {
            if let Some(Event::Message(event)) = object.run(Task::Received(message), wakers).first {
                batch.messages.push(event);
            }
        }
        if !batch.messages.is_empty() && object.inbox.is_empty() {
            wakers.register_stream(cx);
            batch.rest = Rest::Empty;
        }
        batch
    }
}

impl State<SocketState> {
    /// Wakes the stream that is the host, if tasks wait for it. Called once for all tasks that were
    /// posted together, because the stream may be on another thread.
    pub(crate) fn announce(&mut self) {
        let inbox = &self.object.inbox;
        let watched = self.object.amount == BufferedAmountUse::Watched;
        if !inbox.is_empty() || (watched && inbox.transmitted() > 0) {
            self.wakers.wake_stream();
        }
    }

    /// Returns the attribute `bufferedAmount`. If it is positive, the caller is woken when it
    /// falls.
    pub(crate) fn buffered_amount(&mut self) -> u64 {
        let amount = self.object.buffered_amount();
        if amount > 0 {
            self.object.amount = BufferedAmountUse::Watched;
            if self.object.inbox.transmitted() > 0 {
                self.wakers.wake_stream();
            }
        }
        amount
    }
}
