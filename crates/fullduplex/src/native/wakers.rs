use std::mem;
use std::task::{Context, Waker};

/// Who runs the tasks of a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Host {
    /// Nobody yet: the application has not used the socket since its construction (FC-01).
    Unclaimed,
    /// The driver, as they come.
    Driver,
    /// The stream of this number, when it is polled.
    Stream(u64),
}

/// Who sleeps until something happens to a socket. To wake somebody here means to note it: they are woken
/// when the lock around all this is released.
#[derive(Debug)]
pub(crate) struct Wakers {
    driver: Driver,
    host: Host,
    /// Of the stream that is the host, if it sleeps.
    stream: Option<Waker>,
    /// How many streams there were.
    streams: u64,
    /// Who waits for the close event, for a Pong, or for `buffered_amount` to fall.
    waiting: Vec<Waker>,
    /// Whom to wake when the lock is released.
    due: Vec<Waker>,
}

/// The task that serves the network.
#[derive(Debug)]
enum Driver {
    /// Its waker, if it sleeps until something is wanted of it.
    Alive(Option<Waker>),
    /// It has ended, and its runtime perhaps with it.
    Gone,
}

impl Default for Wakers {
    fn default() -> Self {
        Self {
            driver: Driver::Alive(None),
            host: Host::Unclaimed,
            stream: None,
            streams: 0,
            waiting: Vec::new(),
            due: Vec::new(),
        }
    }
}

impl Wakers {
    pub(crate) fn host(&self) -> Host {
        self.host
    }

    /// Makes this one the host; the one before and the driver hear of it.
    pub(crate) fn set_host(&mut self, host: Host) {
        self.wake_stream();
        self.host = host;
        self.wake_driver();
    }

    /// Makes a new stream the host, in place of any other; returns its number.
    pub(crate) fn add_stream(&mut self) -> u64 {
        self.streams += 1;
        self.set_host(Host::Stream(self.streams));
        self.streams
    }

    pub(crate) fn driver_is_gone(&self) -> bool {
        matches!(self.driver, Driver::Gone)
    }

    pub(crate) fn set_driver_gone(&mut self) {
        self.wake_driver();
        self.driver = Driver::Gone;
    }

    /// Has the driver woken when something is wanted of it.
    pub(crate) fn register_driver(&mut self, cx: &Context<'_>) {
        if let Driver::Alive(waker) = &mut self.driver {
            self.due.extend(register(waker, cx));
        }
    }

    /// Has the stream that is the host woken when there is a task, or another host.
    pub(crate) fn register_stream(&mut self, cx: &Context<'_>) {
        if let Host::Stream(_) = self.host {
            self.due.extend(register(&mut self.stream, cx));
        }
    }

    /// Has somebody woken when a Pong has come, when `buffered_amount` falls, and at the end.
    pub(crate) fn register_waiting(&mut self, cx: &Context<'_>) {
        if !self.waiting.iter().any(|waker| waker.will_wake(cx.waker())) {
            self.waiting.push(cx.waker().clone());
        }
    }

    pub(crate) fn wake_driver(&mut self) {
        if let Driver::Alive(waker) = &mut self.driver {
            self.due.extend(waker.take());
        }
    }

    pub(crate) fn wake_stream(&mut self) {
        self.due.extend(self.stream.take());
    }

    pub(crate) fn wake_waiting(&mut self) {
        self.due.append(&mut self.waiting);
    }

    /// Wakes the host; `false` if there is none: the driver should be, and has ended.
    pub(crate) fn wake_host(&mut self) -> bool {
        match self.host {
            Host::Driver if self.driver_is_gone() => return false,
            Host::Driver => self.wake_driver(),
            Host::Stream(_) => self.wake_stream(),
            Host::Unclaimed => {}
        }
        true
    }

    pub(crate) fn wake_all(&mut self) {
        self.wake_waiting();
        self.wake_driver();
        self.wake_stream();
    }

    /// Those to be woken now. A waker is code of an executor, which may do anything: so without a lock.
    pub(crate) fn take_due(&mut self) -> Vec<Waker> {
        mem::take(&mut self.due)
    }
}

/// Puts the waker of `cx` into the slot; returns one of another task that was there.
fn register(slot: &mut Option<Waker>, cx: &Context<'_>) -> Option<Waker> {
    match slot {
        Some(waker) if waker.will_wake(cx.waker()) => None,
        slot => slot.replace(cx.waker().clone()),
    }
}
