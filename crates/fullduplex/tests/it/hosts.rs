//! Who runs the events of a socket may change at any moment, and whoever serves the network may end
//! at any moment: no event is lost, nobody waits for ever, and no code of others meets a lock.

use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use bytes::Bytes;
use fullduplex::{Event, Events, Failure, ReadyState, Timeouts, WebSocket};
use fullduplex_lab::script::{FIN, PING, Peer, TEXT, close_frame, frame, guarded, script};
use futures_util::{Stream, StreamExt};
use tokio::sync::oneshot;

/// A bound for what must not hang, for threads.
const HANG: Duration = Duration::from_secs(30);

fn echo() -> String {
    format!("ws://127.0.0.1:{}/", fullduplex_lab::echo::start(None))
}

/// A stream that is made later could miss what another thread has fired meanwhile.
fn with_events(url: &str) -> (WebSocket, Events) {
    let mut events = None;
    let socket = WebSocket::with(url, (), |socket| events = Some(socket.events())).unwrap();
    (socket, events.expect("the setup was run"))
}

/// Waits for a socket's end on a thread of its own, so that a hang fails the test.
fn wait(socket: &WebSocket) -> u16 {
    let (ended, end) = mpsc::channel();
    let socket = socket.clone();
    std::thread::spawn(move || ended.send(socket.wait().code));
    end.recv_timeout(HANG).expect("wait() hangs")
}

#[tokio::test]
async fn a_stream_that_waits_ends_when_another_is_made() {
    let socket = WebSocket::new(&echo(), ()).unwrap();
    let mut first = socket.events();
    assert_eq!(first.next().await, Some(Event::Open));
    let pending = tokio::spawn(async move { first.next().await });
    tokio::task::yield_now().await; // it waits now
    let _second = socket.events();
    assert_eq!(guarded("the first stream's end", pending).await.unwrap(), None);
}

#[tokio::test]
async fn a_stream_that_has_ended_takes_no_event_of_a_later_one() {
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
async fn a_stream_that_is_made_at_the_very_end_ends() {
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

/// An open socket whose stream has two messages to fire.
async fn two_messages_wait() -> (WebSocket, Events) {
    let (arrived, both_arrived) = oneshot::channel();
    let server = script(async move |mut peer: Peer| {
        peer.shake_hands().await;
        let ping = frame(FIN | PING, "");
        peer.send([frame(FIN | TEXT, "1"), frame(FIN | TEXT, "2"), ping].concat()).await;
        peer.read_frame().await.unwrap(); // the pong: what came before it waits for the host
        arrived.send(()).unwrap();
        peer.await_end().await;
    })
    .await;
    let (socket, mut events) = with_events(&server.url());
    assert_eq!(events.next().await, Some(Event::Open));
    guarded("both messages", both_arrived).await.unwrap();
    (socket, events)
}

/// The driver runs a handler that takes its time while a message waits; meanwhile a stream becomes
/// the host, and finds nothing to do yet.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_that_comes_while_a_handler_runs_is_woken() {
    let (socket, events) = two_messages_wait().await;
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
    let waker = Waker::from(Arc::new(Curious(socket.clone(), woken)));
    let polled = Pin::new(&mut events).poll_next(&mut Context::from_waker(&waker));
    assert_eq!(polled, Poll::Pending, "the first handler still runs");
    leave.send(()).unwrap();
    wakes.recv_timeout(HANG).expect("a message waits, and its host sleeps");
    assert!(matches!(events.try_next(), Some(Event::Message(_))));
}

#[test]
fn a_runtime_that_is_dropped_at_any_moment_ends_its_sockets() {
    let url = echo();
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();

    let unpolled = runtime();
    let socket = unpolled.block_on(async { WebSocket::new(&url, ()).unwrap() });
    drop(unpolled);
    assert_eq!(wait(&socket), 1006, "before the first poll");
    assert!(matches!(*socket.failure().unwrap(), Failure::RuntimeGone));

    let under_a_stream = runtime();
    let (socket, events) = under_a_stream.block_on(async {
        let socket = WebSocket::new(&url, ()).unwrap();
        let mut events = socket.events();
        assert_eq!(events.next().await, Some(Event::Open));
        (socket, events)
    });
    drop(under_a_stream);
    assert_eq!(socket.ready_state(), ReadyState::Open, "the stream has not run the end yet");
    drop(events);
    assert_eq!(wait(&socket), 1006, "nobody is left to run it but the stream's drop");
}

/// The driver is gone, and a handler gives the events back to it while more of them wait.
#[test]
fn tasks_that_nobody_hosts_are_run_by_who_ran_the_last() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (socket, mut events) = runtime.block_on(two_messages_wait());
    drop(runtime);
    socket.set_onmessage(|socket, _| drop(socket.events()));
    assert!(matches!(events.try_next(), Some(Event::Message(_))));
    assert_eq!(wait(&socket), 1006);
}

/// The close handlers run on a stream's thread while the runtime ends.
#[test]
fn the_close_event_fires_once_whatever_ends_meanwhile() {
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
fn a_setup_that_panics_leaves_no_socket_behind() {
    let (kept, keeps) = mpsc::channel();
    let url = echo();
    let setup = move || {
        WebSocket::with(&url, (), |socket| {
            kept.send(socket.clone()).unwrap();
            panic!("this panic is part of the test");
        })
    };
    assert!(std::thread::spawn(setup).join().is_err());
    assert_eq!(wait(&keeps.recv().unwrap()), 1006);
}

/// However much waits: a close has a deadline.
#[tokio::test]
async fn a_close_behind_much_that_waits_is_given_up_too() {
    let server = script(async |mut peer: Peer| {
        peer.shake_hands().await;
        std::future::pending::<()>().await;
    })
    .await;
    let mut timeouts = Timeouts::default();
    timeouts.close = Duration::from_millis(100);
    let socket = WebSocket::builder(&server.url()).timeouts(timeouts).open().unwrap();
    let mut events = socket.events();
    assert_eq!(events.next().await, Some(Event::Open));
    (0..64).for_each(|_| socket.send(vec![0; 1 << 20]).unwrap());
    socket.close();
    assert_eq!(guarded("the end", events.next()).await, Some(Event::Error));
}

/// Fault C12: nothing is read while nobody takes the events; a connection that is closed meanwhile is
/// given up all the same, once it is read again.
#[tokio::test]
async fn a_close_while_nothing_is_read_ends_too() {
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
    let mut timeouts = Timeouts::default();
    timeouts.close = Duration::from_millis(100);
    let socket = WebSocket::builder(&server.url()).timeouts(timeouts).open().unwrap();
    let mut events = socket.events();
    assert_eq!(events.next().await, Some(Event::Open));
    socket.close_with(4000, "").unwrap();
    guarded("the Close, which goes out", is_closing).await.unwrap();
    drop(events); // from here on the driver runs the tasks
    assert_eq!(guarded("the close event", socket.closed()).await.code, 1006);
    server.finish().await;
}

/// A host that is busy when the peer answers must not take that for silence.
#[tokio::test]
async fn a_host_that_was_busy_does_not_blame_the_peer() {
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
    let mut timeouts = Timeouts::default();
    timeouts.close = Duration::from_secs(1);
    let socket = WebSocket::builder(&server.url()).timeouts(timeouts).open().unwrap();
    let mut events = socket.events();
    assert_eq!(events.next().await, Some(Event::Open));
    socket.close_with(4000, "").unwrap();
    guarded("the peer's answer", was_answered).await.unwrap();
    std::thread::sleep(Duration::from_millis(1100)); // busy: nothing else runs on this thread
    let rest: Vec<Event> = guarded("the end", events.collect()).await;
    assert_eq!(rest.len(), 201);
    assert!(matches!(&rest[200], Event::Close(close) if close.was_clean && close.code == 4000));
}

/// A peer that breaks a rule and then holds the connection open.
#[tokio::test]
async fn a_violation_is_told_at_once() {
    let (told, was_told) = oneshot::channel();
    let server = script(async move |mut peer: Peer| {
        peer.shake_hands().await;
        peer.send(frame(0x83, "a reserved opcode")).await;
        assert_eq!(peer.read_close().await, Some(1002));
        was_told.await.unwrap(); // and only then does the peer end the connection
    })
    .await;
    let socket = WebSocket::new(&server.url(), ()).unwrap();
    assert_eq!(guarded("the close event", socket.closed()).await.code, 1006);
    told.send(()).unwrap();
    server.finish().await;
}

#[tokio::test]
async fn what_was_queued_is_given_back_at_the_end() {
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
        peer.read_frame().await; // and goes away
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
    // Each waker of `closed` is woken before the queue is dropped, on the thread of the driver.
    guarded("the queue's end", async {
        while dropped.load(Ordering::Relaxed) < 32 {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

/// A host that takes no events holds the peer back: what waits for it is bounded.
#[tokio::test]
async fn the_network_is_not_read_while_many_events_wait() {
    const COUNT: usize = 4000;
    const MAY_WAIT: usize = 1024 + 64; // and what was received at once
    let (answered, mut was_answered) = oneshot::channel();
    let server = script(async move |mut peer: Peer| {
        peer.shake_hands().await;
        let messages: Vec<u8> = (0..COUNT).flat_map(|_| frame(FIN | TEXT, "m")).collect();
        peer.send([messages, frame(FIN | PING, "")].concat()).await;
        peer.read_frame().await.unwrap(); // the pong: the messages before it have been read
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
        // Time enough for the driver to read all, if it would.
        for _ in 0..16 {
            tokio::task::yield_now().await;
        }
    }
    assert!(taken + MAY_WAIT >= COUNT, "{} wait for the host", COUNT - taken);
}

/// What is sent leaves although nothing comes back that could wake the driver.
#[tokio::test]
async fn all_that_is_sent_leaves_to_a_peer_that_says_nothing() {
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

// executors of others

/// A waker that looks at the socket when it is woken, and owns a handle of it.
struct Curious(WebSocket, mpsc::Sender<ReadyState>);

impl Wake for Curious {
    fn wake(self: Arc<Self>) {
        self.1.send(self.0.ready_state()).ok();
    }
}

#[test]
fn a_waker_may_look_at_the_socket() {
    let socket = WebSocket::new("ws://127.0.0.1:1/", ()).unwrap(); // a blocked port: it fails
    let (woken, wakes) = mpsc::channel();
    let waker = Waker::from(Arc::new(Curious(socket.clone(), woken)));
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
        let waker = Waker::from(Arc::new(Curious(socket.clone(), woken)));
        drop(Pin::new(&mut events).poll_next(&mut Context::from_waker(&waker)));
        drop(waker);
        drop(socket.events());
        done.send(()).unwrap();
    });
    is_done.recv_timeout(HANG).expect("a deadlock");
}

#[tokio::test]
async fn who_waits_again_and_again_is_kept_once() {
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
    assert_eq!(Arc::strong_count(&silent), 3, "ours, the waker's, the socket's");
}
