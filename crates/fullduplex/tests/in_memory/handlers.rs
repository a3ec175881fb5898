//! Application code that panics or blocks.

use std::pin::Pin;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use fullduplex::{
    Builder, Connecting, Connector, Error, Failure, Ports, ReconnectingWebSocket, Url, WebSocket,
};
use tokio::time::timeout;

use crate::memory;

const HANG: Duration = Duration::from_secs(60);

/// Panics when dropped. The payload is another `Bomb` with a smaller number.
struct Bomb(u32);

impl Drop for Bomb {
    fn drop(&mut self) {
        if !std::thread::panicking() || self.0 > 0 {
            std::panic::resume_unwind(Box::new(Bomb(self.0.saturating_sub(1))));
        }
    }
}

/// FC-10
#[tokio::test]
async fn a_panic_whose_payload_panics_when_dropped_disturbs_no_other_handler() {
    let socket = memory::builder(memory::greet_and_close)
        .open_with(|socket| {
            socket.set_onopen(|_, _| std::panic::resume_unwind(Box::new(Bomb(3))));
            socket.set_onmessage(|_, _| std::panic::resume_unwind(Box::new(Bomb(0))));
        })
        .unwrap();
    assert!(timeout(HANG, socket.closed()).await.unwrap().was_clean);
}

/// A connector that panics.
#[derive(Debug)]
struct Panicking;

impl Connector for Panicking {
    fn connect<'a>(&'a self, _url: &'a Url) -> Connecting<'a> {
        std::panic::resume_unwind(Box::new(Bomb(3)))
    }
}

/// FC-10: only this socket ends. The thread that serves all sockets without a runtime continues.
#[test]
fn a_connector_that_panics_ends_only_its_own_connection() {
    let open = || {
        let builder = WebSocket::builder("ws://memory.test/").connector(Arc::new(Panicking));
        builder.ports(Ports::Any)
    };
    for _ in 0..3 {
        let socket = open().open().unwrap();
        assert_eq!(wait(&socket), 1006);
        assert!(matches!(*socket.failure().unwrap(), Failure::Panicked));
    }
    let socket = memory::builder(memory::greet_and_close).open().unwrap();
    assert_eq!(wait(&socket), 1005);

    let provider = |_| async { std::panic::resume_unwind(Box::new(Bomb(3))) };
    let provider = move |retry| -> Pin<Box<dyn Future<Output = Result<Builder, Error>> + Send>> {
        Box::pin(provider(retry))
    };
    let socket = ReconnectingWebSocket::provided_by(provider).open();
    let ended = socket.clone();
    let (closed, closes) = mpsc::channel();
    std::thread::spawn(move || closed.send(ended.wait().code));
    assert_eq!(closes.recv_timeout(HANG).unwrap(), 1006);
    assert!(socket.failure().unwrap().to_string().contains("panicked"));
}

/// Waits on another thread, so that a hang fails the test.
fn wait(socket: &WebSocket) -> u16 {
    let (closed, closes) = mpsc::channel();
    let socket = socket.clone();
    std::thread::spawn(move || closed.send(socket.wait().code));
    closes.recv_timeout(HANG).expect("the socket ends")
}

/// Returns the message of the panic of `wait`.
fn panic_of(wait: impl FnOnce()) -> String {
    let payload = std::panic::catch_unwind(std::panic::AssertUnwindSafe(wait)).unwrap_err();
    let text = payload.downcast_ref::<&str>().map(ToString::to_string);
    text.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap()
}

/// FC-10
#[test]
fn wait_in_a_handler_panics_with_an_explanation() {
    let (panicked, panics) = mpsc::channel();
    let again = panicked.clone();
    let wait = move |socket: &WebSocket| {
        let socket = socket.clone();
        panicked.send(panic_of(|| drop(socket.wait()))).unwrap();
        socket.close();
    };
    // Without a runtime, the handler runs on the thread that serves all sockets.
    let socket = memory::builder(memory::greet).open().unwrap();
    socket.set_onopen(move |socket, _| wait(socket));
    assert!(panics.recv_timeout(HANG).unwrap().contains("inside a handler"));
    socket.wait();

    let socket = ReconnectingWebSocket::builder(memory::builder(memory::greet)).open();
    socket.set_onopen(move |socket| {
        again.send(panic_of(|| drop(socket.wait()))).unwrap();
        socket.close();
    });
    assert!(panics.recv_timeout(HANG).unwrap().contains("inside a handler"));
    socket.wait();
}

/// FC-10: `try_next` calls the handler on the test's thread.
#[test]
fn wait_in_a_handler_of_a_drained_stream_panics() {
    let (panicked, panics) = mpsc::channel();
    let socket = memory::builder(memory::greet).open().unwrap();
    let mut events = socket.events();
    socket.set_onopen(move |socket, _| panicked.send(panic_of(|| drop(socket.wait()))).unwrap());
    let deadline = std::time::Instant::now() + HANG;
    while events.try_next().is_none() {
        assert!(std::time::Instant::now() < deadline);
        std::thread::yield_now();
    }
    assert!(panics.try_recv().unwrap().contains("inside a handler"));
}

/// FC-10: in an async task, `wait` would block the thread that its socket needs.
#[tokio::test]
async fn wait_in_an_async_task_panics() {
    let socket = memory::builder(memory::greet).open().unwrap();
    let panic = panic_of(|| drop(socket.wait()));
    assert!(panic.contains("Cannot block the current thread"), "{panic}");
    socket.close();
    let end = tokio::task::spawn_blocking(move || socket.wait());
    timeout(HANG, end).await.unwrap().unwrap();
}
