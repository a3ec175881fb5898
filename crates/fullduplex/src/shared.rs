use std::collections::VecDeque;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use fullduplex_net::proto::{CloseFrame, Message, Url};

use crate::listeners::Listeners;
use crate::machine::{Closing, Machine, Sending, Task};
use crate::{CloseEvent, Error, Event, Failure, WebSocket};

/// While so many tasks, or so many bytes of messages, wait for a host that does not run them, the
/// driver does not read the socket.
const INBOX_TASKS: usize = 64;
const INBOX_BYTES: usize = 1 << 20;

/// One socket, as its handles and its driver share it.
///
/// User code (handlers, and the destructors of what they own) never runs while the state is locked.
pub(crate) struct Shared {
    pub(crate) url: Url,
    state: Mutex<State>,
}

pub(crate) struct State {
    pub(crate) machine: Machine,
    pub(crate) listeners: Listeners,
    pub(crate) outbox: Outbox,
    /// Wakes the driver when the outbox or the inbox has changed.
    pub(crate) driver: Option<Waker>,
    /// Why the connection failed, once it has.
    pub(crate) failure: Option<Arc<Failure>>,
    /// The close event, once it was fired.
    pub(crate) closed: Option<CloseEvent>,
    /// Who waits for the close event, or for `buffered_amount` to fall.
    pub(crate) waiting: Vec<Waker>,
    pub(crate) host: Host,
    inbox: Inbox,
    dispatch: Dispatch,
    /// How many `WebSocket`s refer to this socket.
    handles: usize,
}

/// Who runs the tasks.
#[derive(Debug)]
pub(crate) enum Host {
    /// The driver, as they come.
    Driver,
    /// The stream of this number, when it is polled.
    Stream { number: u64, waker: Option<Waker> },
}

/// Events fire one at a time, never within a handler.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Dispatch {
    Idle,
    Running,
}

/// What the network has brought.
#[derive(Default)]
struct Inbox {
    tasks: VecDeque<Task>,
    bytes: usize,
}

/// What the application wants of the network, in the order in which the driver does it.
#[derive(Default)]
pub(crate) struct Outbox {
    pub(crate) messages: VecDeque<Message>,
    /// A Close frame to send behind the messages.
    pub(crate) close: Option<Option<CloseFrame>>,
    /// The connection is to be dropped, whatever else waits.
    pub(crate) abort: Option<Failure>,
}

impl Shared {
    pub(crate) fn new(url: Url, machine: Machine) -> Self {
        let state = State {
            machine,
            listeners: Listeners::default(),
            outbox: Outbox::default(),
            driver: None,
            failure: None,
            closed: None,
            waiting: Vec::new(),
            host: Host::Driver,
            inbox: Inbox::default(),
            dispatch: Dispatch::Idle,
            handles: 0,
        };
        Self { url, state: Mutex::new(state) }
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        // No code that can panic runs under the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn send(&self, message: Message) -> Result<(), Error> {
        let mut state = self.state();
        match state.machine.send(message.len())? {
            Sending::Transmit => state.outbox.messages.push_back(message),
            Sending::Full => state.outbox.abort = Some(Failure::BufferFull),
            Sending::Discard => return Ok(()),
        }
        state.wake_driver();
        Ok(())
    }

    pub(crate) fn close(&self, code: Option<u16>, reason: Option<&str>) -> Result<(), Error> {
        let mut state = self.state();
        match state.machine.close(code, reason)? {
            Closing::Handshake(frame) => state.outbox.close = Some(frame),
            Closing::GiveUp => state.outbox.abort = Some(Failure::ClosedWhileConnecting),
            Closing::Nothing => return Ok(()),
        }
        state.wake_driver();
        Ok(())
    }

    /// Queues a task for the host.
    pub(crate) fn post(&self, task: Task) {
        let mut state = self.state();
        state.inbox.push(task);
        if let Host::Stream { waker, .. } = &mut state.host
            && let Some(waker) = waker.take()
        {
            waker.wake();
        }
    }

    /// Queues the last task of a connection that failed, with the cause for developers.
    pub(crate) fn post_failure(&self, failure: Failure) {
        self.state().failure = Some(Arc::new(failure));
        self.post(Task::failed());
    }

    /// Runs all tasks, if the driver is the host.
    pub(crate) fn run_as_driver(self: &Arc<Self>) {
        while self.run_one(|host| matches!(host, Host::Driver)).is_some() {}
    }

    /// Runs the next task, if the stream of this number is the host; returns its events.
    pub(crate) fn run_as_stream(self: &Arc<Self>, stream: u64) -> Option<Vec<Event>> {
        self.run_one(|host| matches!(host, Host::Stream { number, .. } if *number == stream))
    }

    /// Runs the next task: changes the state, then calls the listeners of its events.
    ///
    /// `None` when there is no task, when another is running, or when the caller is not the host.
    fn run_one(self: &Arc<Self>, is_caller: impl Fn(&Host) -> bool) -> Option<Vec<Event>> {
        let events: Vec<Event> = {
            let mut state = self.state();
            if state.dispatch == Dispatch::Running || !is_caller(&state.host) {
                return None;
            }
            let task = state.inbox.pop()?;
            state.dispatch = Dispatch::Running;
            if !state.inbox.is_full() {
                state.wake_driver();
            }
            if matches!(task, Task::Transmitted(_)) {
                // They look when this task has run: they need the lock that is held here.
                state.waiting.drain(..).for_each(Waker::wake);
            }
            state.machine.run(task).collect()
        };
        let socket = WebSocket::new_handle(self);
        for event in &events {
            self.fire(&socket, event);
        }
        let mut state = self.state();
        state.dispatch = Dispatch::Idle;
        if let Some(Event::Close(event)) = events.last() {
            let listeners = state.finish(event.clone());
            drop(state);
            drop(listeners);
        }
        Some(events)
    }

    /// Calls the listeners that the event concerns, in the order in which they were added.
    fn fire(&self, socket: &WebSocket, event: &Event) {
        let concerned = self.state().listeners.concerned(event.event_type());
        for listener in concerned {
            let call = self.state().listeners.take_call(listener);
            let Some(callback) = call else { continue };
            // A handler that panics was reported by the panic hook; the next one runs all the same
            // (HTML, "report an exception").
            let called = catch_unwind(AssertUnwindSafe(|| {
                let mut callback = callback.lock().unwrap_or_else(PoisonError::into_inner);
                callback(socket, event);
            }));
            drop(called);
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

impl State {
    pub(crate) fn wake_driver(&mut self) {
        if let Some(waker) = self.driver.take() {
            waker.wake();
        }
    }

    /// Whether the driver should stop reading until the host has run some tasks.
    pub(crate) fn inbox_is_full(&self) -> bool {
        self.inbox.is_full()
    }

    /// Nothing fires any more. The listeners go, and with them what they hold, which may be this
    /// socket itself; the caller drops them without a lock.
    fn finish(&mut self, event: CloseEvent) -> Listeners {
        self.closed = Some(event);
        self.waiting.drain(..).for_each(Waker::wake);
        self.wake_driver();
        mem::take(&mut self.listeners)
    }
}

impl Outbox {
    /// Whether there is something to hand over to the connection.
    pub(crate) fn is_due(&self) -> bool {
        !self.messages.is_empty() || self.close.is_some()
    }
}

impl Inbox {
    fn push(&mut self, task: Task) {
        if let Task::Received(message) = &task {
            self.bytes += message.len();
        }
        match (self.tasks.back_mut(), task) {
            // One task is enough for what was written since the host ran the last.
            (Some(Task::Transmitted(total)), Task::Transmitted(more)) => *total += more,
            (_, task) => self.tasks.push_back(task),
        }
    }

    fn pop(&mut self) -> Option<Task> {
        let task = self.tasks.pop_front()?;
        if let Task::Received(message) = &task {
            self.bytes -= message.len();
        }
        Some(task)
    }

    fn is_full(&self) -> bool {
        self.tasks.len() >= INBOX_TASKS || self.bytes >= INBOX_BYTES
    }
}
