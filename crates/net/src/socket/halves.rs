use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Wake, Waker};

/// What the application is waiting for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wait {
    Event,
    /// Room in the transport.
    Write,
}

/// The wakers of two tasks that use one socket. A transport keeps one waker for each direction, but each task reads and
/// writes. So the transport gets a waker that wakes both tasks.
#[derive(Debug)]
pub(crate) struct Halves {
    waiting: Arc<Waiting>,
    waker: Waker,
}

#[derive(Debug, Default)]
struct Waiting {
    reader: Mutex<Option<Waker>>,
    writer: Mutex<Option<Waker>>,
}

impl Halves {
    pub(crate) fn new() -> Self {
        let waiting = Arc::new(Waiting::default());
        Self { waker: Waker::from(Arc::clone(&waiting)), waiting }
    }

    /// Registers the task that waits, and returns the waker to poll the transport with.
    pub(crate) fn register(&self, wait: Wait, waker: &Waker) -> &Waker {
        let slot = match wait {
            Wait::Event => &self.waiting.reader,
            Wait::Write => &self.waiting.writer,
        };
        let mut slot = slot.lock().unwrap_or_else(PoisonError::into_inner);
        if !slot.as_ref().is_some_and(|kept| kept.will_wake(waker)) {
            let waker = waker.clone();
            let before = slot.replace(waker);
            drop(slot);
            drop(before);
        }
        &self.waker
    }
}

impl Wake for Waiting {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        for slot in [&self.reader, &self.writer] {
            // Woken without the lock, since a waker is foreign code.
            let waker = slot.lock().unwrap_or_else(PoisonError::into_inner).take();
            waker.into_iter().for_each(Waker::wake);
        }
    }
}
