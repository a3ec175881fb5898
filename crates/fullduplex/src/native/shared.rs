use std::mem;
use std::ops::{Deref, DerefMut};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Context;

use fullduplex_net::proto::{Message, Url};

use crate::native::queues::{Inbox, Outbox, PlaceNumber};
use crate::native::wakers::{Host, Wakers};
use crate::object::error::{Error, Failure};
use crate::object::event::{CloseEvent, Event, MessageEvent, ReadyState};
use crate::object::events::MessageDemand;
use crate::object::listeners::Listeners;
use crate::object::websocket::WebSocket;
use crate::rules::machine::{Closing, Machine, Sending, Task};

/// One socket, as its handles and its driver share it.
pub(crate) struct Shared {
    pub(crate) url: Url,
    state: Mutex<State>,
}

pub(crate) struct State {
    pub(crate) machine: Machine,
    pub(crate) listeners: Listeners,
    pub(crate) outbox: Outbox,
    /// Why the connection failed, once it has.
    pub(crate) failure: Option<Arc<Failure>>,
    /// The close event, once it was fired: the end.
    pub(crate) closed: Option<CloseEvent>,
    pub(crate) wakers: Wakers,
    inbox: Inbox,
    dispatch: Dispatch,
    /// Somebody has seen bytes in `buffered_amount`, and may want to see them go. Unless somebody has,
    /// a stream is not woken for that alone: it would be once more for each message that is sent.
    watched: bool,
    /// How many Pings the application has asked for, and the latest of them that was answered.
    pings: u64,
    pub(crate) pongs: u64,
    /// How many `WebSocket`s refer to this socket.
    handles: usize,
}

/// Events fire one at a time, never within a handler.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Dispatch {
    Idle,
    Running,
}

impl Shared {
    pub(crate) fn new(url: Url, machine: Machine) -> Self {
        let state = State {
            machine,
            listeners: Listeners::default(),
            outbox: Outbox::default(),
            failure: None,
            closed: None,
            wakers: Wakers::default(),
            inbox: Inbox::default(),
            dispatch: Dispatch::Idle,
            watched: false,
            pings: 0,
            pongs: 0,
            handles: 0,
        };
        Self { url, state: Mutex::new(state) }
    }

    /// Locks the state. No code of users runs under the lock: not their handlers, not what handlers
    /// and messages own, and of their executors nothing but the cloning of a waker.
    pub(crate) fn state(&self) -> Locked<'_> {
        // No code that can panic runs under the lock either.
        Locked(Some(self.state.lock().unwrap_or_else(PoisonError::into_inner)))
    }

    /// Locks the state for a call of the application other than adding a listener or a stream.
    ///
    /// The first such call ends the time in which tasks wait for a listener: it runs them, and their
    /// events are fired at nobody, as the standard has it.
    pub(crate) fn claimed(&self) -> Locked<'_> {
        let mut state = self.state();
        if state.wakers.host() != Host::Unclaimed {
            return state;
        }
        let remains = state.run_unheard();
        drop(state);
        undisturbed(move || drop(remains));
        self.state()
    }

    /// Adds a listener. If nobody runs the tasks yet, the driver does from now on.
    pub(crate) fn listen<T>(self: &Arc<Self>, add: impl FnOnce(&mut Listeners) -> T) -> T {
        let mut state = self.state();
        let added = add(&mut state.listeners);
        let starts = state.wakers.host() == Host::Unclaimed;
        if starts {
            state.wakers.set_host(Host::Driver);
        }
        let nobody_else = starts && state.wakers.driver_is_gone();
        drop(state);
        if nobody_else {
            self.run_as_driver();
        }
        added
    }

    pub(crate) fn send(&self, message: Message) -> Result<(), Error> {
        let mut state = self.claimed();
        if state.admit(message.len())? {
            state.outbox.push(message);
        }
        state.wakers.wake_driver();
        Ok(())
    }

    /// As `send`; the driver need not hear of it before [`Shared::flush`].
    pub(crate) fn feed(&self, message: Message) -> Result<(), Error> {
        let mut state = self.claimed();
        if state.admit(message.len())? {
            state.outbox.push(message);
        }
        Ok(())
    }

    /// Has the driver look at what is to be sent.
    pub(crate) fn flush(&self) {
        self.state().wakers.wake_driver();
    }

    /// Asks the peer for a Pong; returns the number of the question.
    pub(crate) fn ping(&self) -> Result<u64, Error> {
        let mut state = self.claimed();
        match state.machine.ready_state() {
            ReadyState::Connecting => return Err(Error::Connecting),
            ReadyState::Open => {}
            ReadyState::Closing | ReadyState::Closed => return Ok(u64::MAX), // no answer will come
        }
        state.pings += 1;
        state.outbox.ping = Some(state.pings);
        state.wakers.wake_driver();
        Ok(state.pings)
    }

    /// A Pong has come. It answers all questions up to its own (RFC6455-5.5.3-2).
    pub(crate) fn ponged(&self, payload: &[u8]) {
        let Ok(number) = payload.try_into().map(u64::from_be_bytes) else { return };
        let mut state = self.state();
        if state.pongs < number && number <= state.pings {
            state.pongs = number;
            state.wakers.wake_waiting();
            state.wakers.wake_stream();
        }
    }

    /// As `send`, of a message of so many bytes that follows. `None` if it is not wanted.
    pub(crate) fn reserve(&self, len: usize) -> Result<Option<PlaceNumber>, Error> {
        let mut state = self.claimed();
        let place = state.admit(len)?.then(|| state.outbox.reserve(len));
        state.wakers.wake_driver();
        Ok(place)
    }

    /// The message for a place reserved; `None`, or one of another length, fails the connection.
    pub(crate) fn fill(&self, place: PlaceNumber, message: Option<Message>) {
        let mut state = self.state();
        let filled = message.is_some_and(|message| state.outbox.fill(place, message));
        if !filled {
            state.outbox.abort = Some(Failure::Unfilled);
        }
        state.wakers.wake_driver();
    }

    pub(crate) fn close(&self, code: Option<u16>, reason: Option<&str>) -> Result<(), Error> {
        let mut state = self.claimed();
        let closing = state.machine.close(code, reason)?;
        state.start_closing(closing);
        Ok(())
    }

    pub(crate) fn delivers(&self) -> bool {
        self.state().machine.delivers()
    }

    pub(crate) fn disappear(&self) {
        let mut state = self.claimed();
        let closing = state.machine.disappear();
        state.start_closing(closing);
    }

    /// Queues tasks for the host, which hears of them by [`Shared::announce`].
    pub(crate) fn post(&self, tasks: impl IntoIterator<Item = Task>) {
        let mut state = self.state();
        tasks.into_iter().for_each(|task| state.inbox.push(task));
    }

    /// See [`State::announce`].
    pub(crate) fn announce(&self) {
        self.state().announce();
    }

    /// Queues the last task of a connection that failed, with the cause for developers.
    pub(crate) fn post_failure(&self, failure: Failure) {
        self.state().failure = Some(Arc::new(failure));
        self.post([Task::failed()]);
        self.announce();
    }

    /// Runs all tasks, if the driver is the host.
    pub(crate) fn run_as_driver(self: &Arc<Self>) {
        while self.run_one(Host::Driver, MessageDemand::Take).is_some() {}
    }

    /// Runs the next task, if the stream of this number is the host; returns its events.
    pub(crate) fn run_as_stream(
        self: &Arc<Self>,
        stream: u64,
        messages: MessageDemand,
    ) -> Option<(Option<Event>, Option<Event>)> {
        self.run_one(Host::Stream(stream), messages)
    }

    /// Runs the next task: changes the state, then calls the listeners of its events.
    ///
    /// `None` when there is no task, when another is running, or when the caller is not the host.
    fn run_one(
        self: &Arc<Self>,
        caller: Host,
        messages: MessageDemand,
    ) -> Option<(Option<Event>, Option<Event>)> {
        let (first, second) = {
            let mut state = self.state();
            if state.dispatch == Dispatch::Running || state.wakers.host() != caller {
                return None;
            }
            let was_full = state.inbox.is_full();
            let task = state.inbox.pop(messages)?;
            state.dispatch = Dispatch::Running;
            if was_full {
                state.wakers.wake_driver();
            }
            if matches!(task, Task::Transmitted(_)) {
                state.amount_falls();
            }
            let events = state.machine.run_for_events(task);
            if state.listeners.is_empty() && !matches!(events.1, Some(Event::Close(_))) {
                state.dispatch = Dispatch::Idle;
                return Some(events); // there is nobody whom another host could disturb
            }
            events
        };
        for event in first.iter().chain(&second) {
            self.fire(event);
        }
        let mut state = self.state();
        state.dispatch = Dispatch::Idle;
        // Another host may have come meanwhile, and found this task running.
        let orphaned = state.wakers.host() != caller && !state.wakers.wake_host();
        if let Some(Event::Close(event)) = &second {
            let remains = state.finish(event.clone());
            drop(state);
            undisturbed(move || drop(remains));
        } else {
            drop(state);
        }
        if orphaned {
            self.run_as_driver();
        }
        Some((first, second))
    }

    /// Runs the tasks of the messages that come next, if the stream of this number is the host and there
    /// are no listeners.
    pub(crate) fn run_messages(
        &self,
        stream: u64,
        cx: &Context<'_>,
        most: usize,
    ) -> (Vec<MessageEvent>, bool) {
        let mut state = self.state();
        if state.wakers.host() != Host::Stream(stream)
            || state.dispatch == Dispatch::Running
            || !state.listeners.is_empty()
        {
            return (Vec::new(), false);
        }
        if state.inbox.is_full() {
            state.wakers.wake_driver();
        }
        if let Some(task) = state.inbox.pop_transmitted() {
            state.machine.run_for_events(task);
            state.amount_falls();
        }
        let mut events = Vec::new();
        while events.len() < most
            && let Some(message) = state.inbox.pop_message()
        {
            if let (Some(Event::Message(event)), _) =
                state.machine.run_for_events(Task::Received(message))
            {
                events.push(event);
            }
        }
        let last = !events.is_empty() && state.inbox.is_empty();
        if last {
            state.wakers.register_stream(cx);
        }
        (events, last)
    }

    /// Calls the listeners that the event concerns, in the order in which they were added.
    fn fire(self: &Arc<Self>, event: &Event) {
        let concerned = self.state().listeners.concerned(event.event_type());
        if concerned.is_empty() {
            return;
        }
        let socket = &WebSocket::new_handle(self);
        for listener in concerned {
            let call = self.state().listeners.take_call(listener);
            let Some(callback) = call else { continue };
            undisturbed(move || {
                callback.lock().unwrap_or_else(PoisonError::into_inner)(socket, event);
            });
        }
    }

    /// The driver has ended, in its time or before it: then the socket ends now.
    pub(crate) fn driver_gone(self: &Arc<Self>) {
        let is_ending = {
            let mut state = self.state();
            state.wakers.set_driver_gone();
            state.inbox.is_ending()
        };
        if !is_ending {
            self.post_failure(Failure::RuntimeGone);
        }
        self.run_as_driver();
    }

    /// Makes a new stream the host, in place of any other; returns its number.
    pub(crate) fn add_stream(&self) -> u64 {
        self.state().wakers.add_stream()
    }

    /// Gives the tasks back to the driver, if this stream has them.
    pub(crate) fn drop_stream(self: &Arc<Self>, stream: u64) {
        let mut state = self.state();
        if state.wakers.host() != Host::Stream(stream) {
            return;
        }
        state.wakers.set_host(Host::Driver);
        let nobody_else = state.wakers.driver_is_gone();
        drop(state);
        if nobody_else {
            self.run_as_driver();
        }
    }

    pub(crate) fn add_handle(&self) {
        self.state().handles += 1;
    }

    /// A socket that nobody holds and whose events nobody hears closes itself (WHATWG WebSockets,
    /// "garbage collection").
    pub(crate) fn drop_handle(&self) {
        let forgotten = {
            let mut state = self.state();
            state.handles -= 1;
            state.handles == 0 && !state.listeners.keep_alive(state.machine.ready_state())
        };
        if forgotten {
            // Without arguments there is nothing to refuse.
            self.close(None, None).ok();
        }
    }
}

/// Runs code of users. A handler that panics was reported by the panic hook; what follows it runs
/// all the same (HTML, "report an exception").
pub(crate) fn undisturbed(code: impl FnOnce()) {
    catch_unwind(AssertUnwindSafe(code)).ok();
}

impl State {
    /// Asks the machine for a message of so many bytes; whether it is to be put into the outbox.
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

    /// Tells the host that tasks wait: once for all that came together, for it may be on another
    /// thread. (The driver, which posts them, looks itself.)
    pub(crate) fn announce(&mut self) {
        if !self.inbox.is_empty() || (self.watched && self.inbox.transmitted() > 0) {
            self.wakers.wake_stream();
        }
    }

    /// The attribute `bufferedAmount`. Who looks at it will want to know when it falls.
    pub(crate) fn buffered_amount(&mut self) -> u64 {
        let amount = self.machine.buffered_amount();
        if amount > 0 {
            self.watched = true;
            if self.inbox.transmitted() > 0 {
                self.wakers.wake_stream();
            }
        }
        amount
    }

    /// Runs the tasks that waited for a listener, and makes the driver the host. There are no listeners.
    fn run_unheard(&mut self) -> Option<(Listeners, Outbox)> {
        self.wakers.set_host(Host::Driver);
        let mut remains = None;
        while let Some(task) = self.inbox.pop(MessageDemand::Take) {
            if let (_, Some(Event::Close(event))) = self.machine.run_for_events(task) {
                remains = Some(self.finish(event));
            }
        }
        remains
    }

    fn amount_falls(&mut self) {
        self.watched = false; // until somebody looks again
        self.wakers.wake_waiting();
    }

    fn start_closing(&mut self, closing: Closing) {
        match closing {
            Closing::Handshake(frame) => self.outbox.close = Some(frame),
            Closing::GiveUp => self.outbox.abort = Some(Failure::ClosedWhileConnecting),
            Closing::Nothing => return,
        }
        self.wakers.wake_driver();
    }

    /// Whether the driver should stop reading until the host has run some tasks.
    pub(crate) fn inbox_is_full(&self) -> bool {
        self.inbox.is_full()
    }

    /// Nothing fires any more. The listeners and the messages go, and with them what they hold,
    /// which may be this socket itself; the caller drops them without a lock.
    fn finish(&mut self, event: CloseEvent) -> (Listeners, Outbox) {
        self.closed = Some(event);
        self.wakers.wake_all();
        (mem::take(&mut self.listeners), mem::take(&mut self.outbox))
    }
}

/// The state, locked. Whoever is to be woken is woken when the lock has been released.
pub(crate) struct Locked<'a>(Option<MutexGuard<'a, State>>);

impl Deref for Locked<'_> {
    type Target = State;

    fn deref(&self) -> &State {
        self.0.as_ref().expect("only drop takes the guard")
    }
}

impl DerefMut for Locked<'_> {
    fn deref_mut(&mut self) -> &mut State {
        self.0.as_mut().expect("only drop takes the guard")
    }
}

impl Drop for Locked<'_> {
    fn drop(&mut self) {
        let Some(mut state) = self.0.take() else { return };
        let due = state.wakers.take_due();
        drop(state);
        due.into_iter().for_each(|waker| undisturbed(|| waker.wake()));
    }
}
