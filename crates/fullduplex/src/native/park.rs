use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use tokio::sync::oneshot;

use crate::object::callback;

/// Blocks this thread until the future is ready.
///
/// # Panics
/// Panics in a handler and in an async task, where it would wait forever (FC-10).
#[track_caller]
pub(crate) fn wait_for<F: Future>(future: F) -> F::Output {
    assert!(
        !callback::is_running(),
        "could not wait inside a handler: the close event fires after the handler has returned; use \
         a `close` handler, or await `closed()` in a task"
    );
    // tokio knows whether this thread may block, and checks it even if the channel is ready.
    let (sender, receiver) = oneshot::channel();
    sender.send(()).ok();
    receiver.blocking_recv().ok();

    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}

/// Wakes a parked thread.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}
