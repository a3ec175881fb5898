use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Wake, Waker};

/// Who waits at the two halves of a stream, which may be two tasks. A transport keeps one waker, and either
/// half moves the bytes of both: so it is given one that wakes both.
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

    /// The waker to read with, for the reader that `waker` wakes.
    pub(crate) fn reading(&self, waker: &Waker) -> &Waker {
        keep(&self.waiting.reader, waker);
        &self.waker
    }

    /// The waker to write with, for the writer that `waker` wakes.
    pub(crate) fn writing(&self, waker: &Waker) -> &Waker {
        keep(&self.waiting.writer, waker);
        &self.waker
    }
}

impl Wake for Waiting {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        for place in [&self.reader, &self.writer] {
            // Woken without the lock, for a waker may be code of others.
            let waker = place.lock().unwrap_or_else(PoisonError::into_inner).take();
            waker.into_iter().for_each(Waker::wake);
        }
    }
}

fn keep(place: &Mutex<Option<Waker>>, waker: &Waker) {
    let mut kept = place.lock().unwrap_or_else(PoisonError::into_inner);
    if !kept.as_ref().is_some_and(|kept| kept.will_wake(waker)) {
        *kept = Some(waker.clone());
    }
}
