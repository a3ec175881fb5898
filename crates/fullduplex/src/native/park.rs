use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use tokio::sync::oneshot;

use crate::object::callback;
use crate::object::websocket::WebSocket;
use crate::reconnect::ReconnectingWebSocket;
use crate::rules::event::CloseEvent;

/// Methods that block. They do not exist in a browser, because a page cannot block.
impl WebSocket {
    /// Blocks this thread until the `close` event has fired, and returns it. While an [`Events`](crate::Events) stream
    /// exists, another thread must keep polling it.
    ///
    /// # Panics
    /// Panics in a handler and in an async task, because the call would never return there. Await
    /// [`closed`](Self::closed) instead.
    #[track_caller]
    pub fn wait(&self) -> CloseEvent {
        wait_for(self.closed())
    }
}

/// Methods that block. They do not exist in a browser, because a page cannot block.
impl ReconnectingWebSocket {
    /// Blocks this thread until the `close` event has fired, and returns it.
    ///
    /// # Panics
    /// Panics in a handler and in an async task, because the call would never return there. Await
    /// [`closed`](Self::closed) instead.
    #[track_caller]
    pub fn wait(&self) -> CloseEvent {
        wait_for(self.closed())
    }
}

/// Blocks this thread until the future is ready.
///
/// # Panics
/// Panics in a handler and in an async task, because the call would never return there (FC-10).
#[track_caller]
fn wait_for<F: Future>(future: F) -> F::Output {
    assert!(
        !callback::is_running(),
        "could not wait inside a handler: the close event fires after the handler has returned; use \
         a `close` handler, or await `closed()` in a task"
    );
    // tokio checks whether this thread may block, even if the channel is ready.
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
