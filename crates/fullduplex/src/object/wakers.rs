use std::mem;
use std::task::{Context, Poll, Waker};

/// The host, which runs the tasks of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Host {
    /// No one: the application has not used the object since its construction (FC-01).
    Unclaimed,
    /// The driver runs the tasks when they are posted.
    Driver,
    /// The stream with this number runs the tasks when it is polled.
    Stream(u64),
}

/// The wakers of all tasks that wait for an object. The methods named `wake_` only collect wakers;
/// [`Locked`](crate::object::target::Locked) wakes them after it has released the lock.
#[derive(Debug)]
pub(crate) struct Wakers {
    driver: Driver,
    host: Host,
    /// The waker of the stream that is the host, while it waits.
    stream: Option<Waker>,
    /// The number of streams created so far.
    streams: u64,
    /// The tasks that wait for a change of the state.
    waiting: Vec<Waker>,
    /// The wakers to wake when the lock is released.
    due: Vec<Waker>,
}

/// The task that serves the network.
#[derive(Debug)]
enum Driver {
    Alive {
        /// The driver's waker, while the driver waits.
        waker: Option<Waker>,
        /// Whether the driver was woken since [`Wakers::poll_woken`] last returned `Ready`.
        wanted: bool,
    },
    /// The driver has ended, possibly with its runtime.
    Gone,
}

impl Driver {
    const fn alive() -> Self {
        Self::Alive { waker: None, wanted: false }
    }
}

impl Default for Wakers {
    fn default() -> Self {
        Self {
            driver: Driver::alive(),
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

    /// Sets the host, and wakes the old one and the driver.
    pub(crate) fn set_host(&mut self, host: Host) {
        self.wake_stream();
        self.host = host;
        self.wake_driver();
    }

    /// Makes a new stream the host, replacing any other. Returns its number.
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

    /// Handles the start of a new driver after the old one has ended.
    pub(crate) fn set_driver_alive(&mut self) {
        self.driver = Driver::alive();
    }

    /// Registers the driver, which is woken when the application requests something.
    pub(crate) fn register_driver(&mut self, cx: &Context<'_>) {
        if let Driver::Alive { waker, .. } = &mut self.driver {
            self.due.extend(register(waker, cx));
        }
    }

    /// Polls until [`wake_driver`](Self::wake_driver) was called after the last `Ready`.
    pub(crate) fn poll_woken(&mut self, cx: &Context<'_>) -> Poll<()> {
        if let Driver::Alive { wanted, .. } = &mut self.driver
            && mem::take(wanted)
        {
            return Poll::Ready(());
        }
        self.register_driver(cx);
        Poll::Pending
    }

    /// Registers the stream that is the host. It is woken for the next task, or if another host
    /// takes over.
    pub(crate) fn register_stream(&mut self, cx: &Context<'_>) {
        if let Host::Stream(_) = self.host {
            self.due.extend(register(&mut self.stream, cx));
        }
    }

    /// Registers a task that waits for a change: a Pong, a smaller `buffered_amount`, or the end.
    pub(crate) fn register_waiting(&mut self, cx: &Context<'_>) {
        if !self.waiting.iter().any(|waker| waker.will_wake(cx.waker())) {
            self.waiting.push(cx.waker().clone());
        }
    }

    pub(crate) fn wake_driver(&mut self) {
        if let Driver::Alive { waker, wanted } = &mut self.driver {
            *wanted = true;
            self.due.extend(waker.take());
        }
    }

    pub(crate) fn wake_stream(&mut self) {
        self.due.extend(self.stream.take());
    }

    pub(crate) fn wake_waiting(&mut self) {
        self.due.append(&mut self.waiting);
    }

    /// Wakes the host. Returns `false` if the host is a driver that has ended.
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

    /// Takes the wakers to wake. A waker is code of an executor, so it is woken outside the lock.
    pub(crate) fn take_due(&mut self) -> Vec<Waker> {
        mem::take(&mut self.due)
    }
}

/// Stores the waker of `cx` in the slot. Returns the replaced waker, if it belongs to another task.
fn register(slot: &mut Option<Waker>, cx: &Context<'_>) -> Option<Waker> {
    match slot {
        Some(waker) if waker.will_wake(cx.waker()) => None,
        slot => slot.replace(cx.waker().clone()),
    }
}
