//! The host that runs a socket's events may change at any moment, and the runtime may end at any
//! moment. No event is lost, nothing waits forever, and no application code runs under a lock.

use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use bytes::Bytes;
use fullduplex::{Event, Events, Failure, ReadyState, Timeouts, WebSocket};
use fullduplex_lab::script::{CLOSE, FIN, PING, Peer, TEXT, close_frame, frame, guarded, script};
use futures_util::{Stream, StreamExt};
use tokio::sync::oneshot;

/// The time after which a blocked thread fails the test.
const HANG: Duration = Duration::from_secs(30);

fn echo() -> String {
    format!("ws://127.0.0.1:{}/", fullduplex_lab::echo::start(None))
}

/// Creates the stream in the setup, because a later one could miss events that another thread has
/// already fired.
fn with_events(url: &str) -> (WebSocket, Events) {
    let mut events = None;
    let socket = WebSocket::with(url, (), |socket| events = Some(socket.events())).unwrap();
    (socket, events.expect("the setup ran"))
}

/// Opens a socket with this close timeout.
async fn opened(url: &str, close: Duration) -> (WebSocket, Events) {
    let mut timeouts = Timeouts::default();
    timeouts.close = close;
    let socket = WebSocket::builder(url).timeouts(timeouts).open().unwrap();
    let mut events = socket.events();
    assert_eq!(events.next().await, Some(Event::Open));
    (socket, events)
}

/// Waits for the end of a socket on another thread, so that a hang fails the test. Returns the close code.
fn wait(socket: &WebSocket) -> u16 {
    let (ended, end) = mpsc::channel();
    let socket = socket.clone();
    std::thread::spawn(move || ended.send(socket.wait().code));
    end.recv_timeout(HANG).expect("wait() hangs")
}

#[tokio::test]
async fn a_waiting_event_stream_ends_when_another_is_created() {
    let socket = WebSocket::new(&echo(), ()).unwrap();
    let mut first = socket.events();
    assert_eq!(first.next().await, Some(Event::Open));
    let pending = tokio::spawn(async move { first.next().await });
    tokio::task::yield_now().await; // the task now waits for an event
    let _second = socket.events();
    assert_eq!(guarded("the first stream's end", pending).await.unwrap(), None);
}

#[tokio::test]
async fn an_ended_event_stream_takes_no_event_of_a_later_one() {
    let socket = WebSocket::new(&echo(), ()).unwrap();
    let mut first = socket.events();
    assert_eq!(first.next().await, Some(Event::Open));
    drop(socket.events());
    let mut third = socket.events();
    socket.send("x").unwrap();
    assert_eq!(first.next().await, None);
    drop(first);
    assert!(matches!(guarded("the echo", third.next()).await, Some(Event::Message(_))));
}

#[tokio::test]
async fn an_event_stream_created_at_close_ends() {
    let (made, make) = oneshot::channel();
    let mut made = Some(made);
    let socket = WebSocket::with(&echo(), (), |socket| {
        socket.set_onopen(|socket, _| socket.close());
        socket.set_onclose(move |socket, _| {
            made.take().unwrap().send(socket.events()).unwrap();
        });
    });
    let mut events = guarded("the close event", make).await.unwrap();
    assert_eq!(guarded("the stream's end", events.next()).await, None);
    drop(socket);
}

/// Returns an open socket with two messages waiting for its event stream.
async fn with_two_waiting_messages() -> (WebSocket, Events) {
    let (arrived, both_arrived) = oneshot::channel();
    let server = script(async move |mut peer: Peer| {
        peer.shake_hands().await;
        let ping = frame(FIN | PING, "");
        peer.send([frame(FIN | TEXT, "1"), frame(FIN | TEXT, "2"), ping].concat()).await;
        peer.read_frame().await.unwrap(); // the Pong: the messages before it have been read
        arrived.send(()).unwrap();
        peer.await_end().await;
    })
    .await;
    let (socket, mut events) = with_events(&server.url());
    assert_eq!(events.next().await, Some(Event::Open));
    guarded("both messages", both_arrived).await.unwrap();
    (socket, events)
}

/// The driver runs a slow handler while a message waits. An event stream that becomes the host
/// during that time is woken when the handler returns.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_host_is_woken_after_a_running_handler() {
    let (socket, events) = with_two_waiting_messages().await;
    let (entered, enters) = oneshot::channel();
    let (leave, leaves) = mpsc::channel::<()>();
    let mut entered = Some(entered);
    socket.set_onmessage(move |_, _| {
        if let Some(entered) = entered.take() {
            entered.send(()).unwrap();
            leaves.recv_timeout(HANG).unwrap();
        }
    });
    drop(events);
    guarded("the first message", enters).await.unwrap();
    let mut events = socket.events();
    let (woken, wakes) = mpsc::channel();
    let waker = Waker::from(Arc::new(Observing(socket.clone(), woken)));
    let polled = Pin::new(&mut events).poll_next(&mut Context::from_waker(&waker));
    assert_eq!(polled, Poll::Pending, "the handler still runs");
    leave.send(()).unwrap();
    wakes.recv_timeout(HANG).expect("the stream is woken for the second message");
    assert!(matches!(events.try_next(), Some(Event::Message(_))));
}

#[test]
fn dropping_the_runtime_ends_its_sockets() {
    let url = echo();
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();

    let unpolled = runtime();
    let socket = unpolled.block_on(async { WebSocket::new(&url, ()).unwrap() });
    drop(unpolled);
    assert_eq!(wait(&socket), 1006, "before the first poll of the driver");
    assert!(matches!(*socket.failure().unwrap(), Failure::RuntimeGone));

    let under_a_stream = runtime();
    let (socket, events) = under_a_stream.block_on(async {
        let socket = WebSocket::new(&url, ()).unwrap();
        let mut events = socket.events();
        assert_eq!(events.next().await, Some(Event::Open));
        (socket, events)
    });
    drop(under_a_stream);
    assert_eq!(
        socket.ready_state(),
        ReadyState::Open,
        "the event stream has not run the last tasks"
    );
    drop(events);
    assert_eq!(wait(&socket), 1006, "dropping the event stream runs the last tasks");
}

/// A handler drops the last event stream after the driver has ended, while tasks still wait.
#[test]
fn tasks_without_a_host_are_still_run() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (socket, mut events) = runtime.block_on(with_two_waiting_messages());
    drop(runtime);
    socket.set_onmessage(|socket, _| drop(socket.events()));
    assert!(matches!(events.try_next(), Some(Event::Message(_))));
    assert_eq!(wait(&socket), 1006);
}

/// The runtime ends while the event stream's thread runs the close handler.
#[test]
fn the_close_event_fires_once() {
    let url = echo();
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime.worker_threads(1).enable_all().build().unwrap();
    let (socket, mut events) = runtime.block_on(async {
        let (socket, mut events) = with_events(&url);
        assert_eq!(events.next().await, Some(Event::Open));
        (socket, events)
    });
    let (entered, enters) = mpsc::channel();
    let (leave, leaves) = mpsc::channel::<()>();
    socket.set_onclose(move |_, _| {
        entered.send(()).unwrap();
        leaves.recv_timeout(HANG).unwrap();
    });
    socket.close_with(4000, "bye").unwrap();
    let stream = std::thread::spawn(move || {
        while events.try_next().is_none() {
            std::thread::yield_now();
        }
        events.try_next()
    });
    enters.recv_timeout(HANG).unwrap();
    drop(runtime);
    leave.send(()).unwrap();
    assert_eq!(stream.join().unwrap(), None, "nothing follows the close event");
    assert_eq!(wait(&socket), 4000);
    assert!(socket.failure().is_none());
}

#[test]
fn a_setup_that_panics_closes_the_socket() {
    let (kept, keeps) = mpsc::channel();
    let url = echo();
    let setup = move || {
        WebSocket::with(&url, (), |socket| {
            kept.send(socket.clone()).unwrap();
            panic!("part of the test");
        })
    };
    assert!(std::thread::spawn(setup).join().is_err());
    assert_eq!(wait(&keeps.recv().unwrap()), 1006);
}

#[tokio::test]
async fn a_close_after_queued_messages_times_out() {
    let server = script(async |mut peer: Peer| {
        peer.shake_hands().await;
        std::future::pending::<()>().await;
    })
    .await;
    let (socket, mut events) = opened(&server.url(), Duration::from_millis(100)).await;
    (0..64).for_each(|_| socket.send(vec![0; 1 << 20]).unwrap());
    socket.close();
    assert_eq!(guarded("the end", events.next()).await, Some(Event::Error));
}

/// Fault C12: the close timeout also applies if the connection is not read because the host takes no
/// events.
#[tokio::test]
async fn a_close_while_nothing_is_read_times_out() {
    let (closing, is_closing) = oneshot::channel();
    let server = script(async move |mut peer: Peer| {
        peer.shake_hands().await;
        let messages: Vec<u8> = (0..1000).flat_map(|_| frame(FIN | TEXT, "m")).collect();
        peer.send(messages).await;
        assert_eq!(peer.read_close().await, Some(4000));
        closing.send(()).unwrap();
        peer.await_end().await;
    })
    .await;
    let (socket, events) = opened(&server.url(), Duration::from_millis(100)).await;
    socket.close_with(4000, "").unwrap();
    guarded("our Close", is_closing).await.unwrap();
    drop(events); // the driver now runs the tasks
    assert_eq!(guarded("the close event", socket.closed()).await.code, 1006);
    server.finish().await;
}

/// FS-02: the deadline of the closing handshake is absolute, even if the host does not read the
/// answer.
#[tokio::test]
async fn the_close_timeout_holds_while_the_host_is_busy() {
    let (answered, was_answered) = oneshot::channel();
    let server = script(async move |mut peer: Peer| {
        peer.shake_hands().await;
        let messages: Vec<u8> = (0..200).flat_map(|_| frame(FIN | TEXT, "m")).collect();
        peer.send(messages).await;
        assert_eq!(peer.read_close().await, Some(4000));
        peer.send(close_frame(4000, "")).await;
        answered.send(()).unwrap();
        peer.fin().await;
    })
    .await;
    let (socket, events) = opened(&server.url(), Duration::from_secs(1)).await;
    socket.close_with(4000, "").unwrap();
    guarded("the peer's answer", was_answered).await.unwrap();
    std::thread::sleep(Duration::from_millis(1100)); // nothing else runs on this thread
    let rest: Vec<Event> = guarded("the end", events.collect()).await;
    assert_eq!(rest.len(), 202);
    assert!(matches!(&rest[200..], [Event::Error, Event::Close(close)] if close.code == 1006));
}

/// FS-02: a peer that ignores our Close and keeps sending is cut off. The host either has an `Events` stream that it
/// never reads, or it has no stream.
#[tokio::test]
async fn a_closing_socket_is_cut_off_without_a_reader() {
    for keeps_stream in [true, false] {
        let server = script(async |mut peer: Peer| {
            peer.shake_hands().await;
            assert_eq!(peer.read_close().await, Some(4000));
            let texts = frame(FIN | TEXT, "m").repeat(512);
            while peer.try_send(&texts).await.is_ok() {}
        })
        .await;
        let (socket, events) = opened(&server.url(), Duration::from_millis(100)).await;
        let stream = keeps_stream.then_some(events);
        socket.close_with(4000, "").unwrap();
        guarded("the end of the connection", server.finish()).await;
        drop(stream);
        assert_eq!(guarded("the close event", socket.closed()).await.code, 1006);
    }
}

/// The peer violates the protocol and keeps the connection open.
#[tokio::test]
async fn a_violation_closes_the_socket_at_once() {
    let (tx, rx) = oneshot::channel();
    let server = script(async move |mut peer: Peer| {
        peer.shake_hands().await;
        peer.send(frame(0x83, "a reserved opcode")).await;
        assert_eq!(peer.read_close().await, Some(1002));
        rx.await.unwrap(); // the peer ends the connection after this
    })
    .await;
    let socket = WebSocket::new(&server.url(), ()).unwrap();
    assert_eq!(guarded("the close event", socket.closed()).await.code, 1006);
    tx.send(()).unwrap();
    server.finish().await;
}

/// The Close of a failed connection is still sent to a peer that reads late, after the application has seen the end.
#[tokio::test]
async fn the_close_of_a_failed_socket_is_sent_after_its_end() {
    let (tx, rx) = oneshot::channel();
    let server = script(async move |mut peer: Peer| {
        peer.shake_hands().await;
        assert_eq!(peer.read_frame().await.unwrap().payload, b"hello");
        peer.send(frame(0x83, "a reserved opcode")).await;
        rx.await.unwrap();
        loop {
            let frame = peer.read_frame().await.expect("a Close");
            if frame.first_byte == FIN | CLOSE {
                break frame.payload;
            }
        }
    })
    .await;
    let socket = WebSocket::new(&server.url(), ()).unwrap();
    let mut events = socket.events();
    assert_eq!(events.next().await, Some(Event::Open));
    socket.send("hello").unwrap();
    // More than the system buffers.
    for _ in 0..16 {
        socket.send(vec![0; 1 << 20]).unwrap();
    }
    drop(events);
    assert_eq!(guarded("the close event", socket.closed()).await.code, 1006);
    tx.send(()).unwrap();
    let close = guarded("the Close", server.finish()).await;
    assert_eq!(close.first_chunk(), Some(&1002_u16.to_be_bytes()));
}

#[tokio::test]
async fn queued_messages_are_freed_at_the_end() {
    struct Payload(Vec<u8>, Arc<AtomicUsize>);
    impl AsRef<[u8]> for Payload {
        fn as_ref(&self) -> &[u8] {
            &self.0
        }
    }
    impl Drop for Payload {
        fn drop(&mut self) {
            self.1.fetch_add(1, Ordering::Relaxed);
        }
    }
    let server = script(async |mut peer: Peer| {
        peer.shake_hands().await;
        peer.read_frame().await; // and then ends
    })
    .await;
    let socket = WebSocket::new(&server.url(), ()).unwrap();
    let mut events = socket.events();
    assert_eq!(events.next().await, Some(Event::Open));
    let dropped = Arc::new(AtomicUsize::new(0));
    socket.send("first").unwrap();
    for _ in 0..32 {
        let payload = Payload(vec![0; 1 << 20], Arc::clone(&dropped));
        socket.send(Bytes::from_owner(payload)).unwrap();
    }
    drop(events);
    guarded("the end", socket.closed()).await;
    // The driver wakes `closed` before it drops the queue.
    guarded("the queue's end", async {
        while dropped.load(Ordering::Relaxed) < 32 {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

/// Backpressure: at most about 1,024 events wait for the host.
#[tokio::test]
async fn reading_stops_while_many_events_wait() {
    const COUNT: usize = 4000;
    const MAY_WAIT: usize = 1024 + 64; // and those of the last read
    let (answered, mut was_answered) = oneshot::channel();
    let server = script(async move |mut peer: Peer| {
        peer.shake_hands().await;
        let messages: Vec<u8> = (0..COUNT).flat_map(|_| frame(FIN | TEXT, "m")).collect();
        peer.send([messages, frame(FIN | PING, "")].concat()).await;
        peer.read_frame().await.unwrap(); // the Pong: the messages before it have been read
        answered.send(()).unwrap();
        peer.await_end().await;
    })
    .await;
    let socket = WebSocket::new(&server.url(), ()).unwrap();
    let mut events = socket.events();
    assert_eq!(events.next().await, Some(Event::Open));
    let mut taken = 0;
    while was_answered.try_recv().is_err() {
        if events.try_next().is_some() {
            taken += 1;
        }
        // Gives the driver time to run; it must not read everything.
        for _ in 0..16 {
            tokio::task::yield_now().await;
        }
    }
    assert!(taken + MAY_WAIT >= COUNT, "{} wait for the host", COUNT - taken);
}

#[tokio::test]
async fn messages_are_sent_to_a_silent_peer() {
    let server = script(async |mut peer: Peer| {
        peer.shake_hands().await;
        for _ in 0..1000 {
            assert_eq!(peer.read_frame().await.unwrap().payload.len(), 1000);
        }
    })
    .await;
    let socket = WebSocket::new(&server.url(), ()).unwrap();
    let mut events = socket.events();
    assert_eq!(events.next().await, Some(Event::Open));
    (0..1000).for_each(|_| socket.send(vec![0; 1000]).unwrap());
    guarded("the last message", server.finish()).await;
}

// Wakers of other executors.

/// A waker that owns a handle of the socket and reads its state when woken.
struct Observing(WebSocket, mpsc::Sender<ReadyState>);

impl Wake for Observing {
    fn wake(self: Arc<Self>) {
        self.1.send(self.0.ready_state()).ok();
    }
}

#[test]
fn a_waker_may_use_the_socket() {
    let socket = WebSocket::new("ws://127.0.0.1:1/", ()).unwrap(); // a blocked port, so this fails
    let (woken, wakes) = mpsc::channel();
    let waker = Waker::from(Arc::new(Observing(socket.clone(), woken)));
    let closed = Box::pin({
        let socket = socket.clone();
        async move { socket.closed().await }
    });
    let mut closed = closed;
    if closed.as_mut().poll(&mut Context::from_waker(&waker)).is_pending() {
        assert_eq!(wakes.recv_timeout(HANG), Ok(ReadyState::Closed), "a deadlock");
    }
    assert_eq!(wait(&socket), 1006);
}

#[test]
fn a_waker_that_owns_the_socket_may_be_dropped() {
    let (done, is_done) = mpsc::channel();
    let url = echo();
    std::thread::spawn(move || {
        let socket = WebSocket::new(&url, ()).unwrap();
        let mut events = socket.events();
        let (woken, _wakes) = mpsc::channel();
        let waker = Waker::from(Arc::new(Observing(socket.clone(), woken)));
        drop(Pin::new(&mut events).poll_next(&mut Context::from_waker(&waker)));
        drop(waker);
        drop(socket.events());
        done.send(()).unwrap();
    });
    is_done.recv_timeout(HANG).expect("a deadlock");
}

#[tokio::test]
async fn a_repeated_waker_is_stored_once() {
    struct Silent;
    impl Wake for Silent {
        fn wake(self: Arc<Self>) {}
    }
    let socket = WebSocket::new(&echo(), ()).unwrap();
    let silent = Arc::new(Silent);
    let waker = Waker::from(Arc::clone(&silent));
    for _ in 0..1000 {
        let closed = std::pin::pin!(socket.closed());
        assert!(closed.poll(&mut Context::from_waker(&waker)).is_pending());
    }
    assert_eq!(Arc::strong_count(&silent), 3, "held by the test, the waker and the socket");
}
