//! No event is lost between the constructor and the first listener or stream.

use std::future::poll_fn;
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use fullduplex::{Data, Event, ReadyState, ReconnectingEvent, ReconnectingWebSocket};
use fullduplex_net::proto::Received;
use futures_util::StreamExt;
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::memory;

const HANG: Duration = Duration::from_secs(60);

/// FC-01: four threads open `count` sockets, which the four threads of a runtime serve, and call
/// `events()` on the next line. Returns the number of streams that did not begin with `open` and
/// the greeting.
fn missed(count: usize) -> usize {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime.worker_threads(4).enable_all().build().unwrap();
    let open_all = || {
        let mut missed = 0;
        for _ in 0..count / 4 {
            // This thread is not a worker of the runtime. The workers may run the socket before
            // the next line.
            let _inside = runtime.enter();
            let socket = memory::builder(memory::greet).open().unwrap();
            let mut events = socket.events();
            let first = runtime.block_on(timeout(HANG, events.next())).unwrap();
            let is_greeting = first == Some(Event::Open) && {
                let second = runtime.block_on(timeout(HANG, events.next())).unwrap();
                matches!(second, Some(Event::Message(message))
                    if message.data.as_text() == Some("welcome"))
            };
            missed += usize::from(!is_greeting);
        }
        missed
    };
    std::thread::scope(|scope| {
        let threads = [(); 4].map(|()| scope.spawn(open_all));
        threads.map(|thread| thread.join().unwrap()).iter().sum()
    })
}

/// `FULLDUPLEX_SOCKETS=1000000` runs the long version, which takes a few minutes.
#[test]
fn a_stream_on_the_next_line_misses_no_event() {
    let sockets =
        std::env::var("FULLDUPLEX_SOCKETS").map_or(10_000, |count| count.parse().unwrap());
    assert_eq!(missed(sockets), 0);
}

/// FC-01: while the socket is unused, events wait for the first stream.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_late_first_stream_misses_no_event() {
    let (socket, _ended) = memory::greeted_but_unused().await;
    let events: Vec<_> = timeout(HANG, socket.events().take(2).collect()).await.unwrap();
    assert_eq!(events[0], Event::Open);
    assert!(matches!(&events[1], Event::Message(message)
        if message.data == Data::Text("welcome".into())));
}

/// FC-01: while the socket is unused, events wait for the first handler.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_late_first_handler_misses_no_event() {
    let (socket, _ended) = memory::greeted_but_unused().await;
    let (heard, hears) = oneshot::channel();
    let mut heard = Some(heard);
    socket.set_onmessage(move |_, message| {
        heard.take().unwrap().send(message.data.clone()).unwrap();
    });
    assert_eq!(timeout(HANG, hears).await.unwrap().unwrap(), Data::Text("welcome".into()));
}

/// FC-01: without a runtime, another thread fires the events.
#[test]
fn a_handler_on_the_next_line_misses_no_event_without_a_runtime() {
    for _ in 0..200 {
        let socket = memory::builder(memory::greet).open().unwrap();
        let (opened, opens) = mpsc::channel();
        socket.set_onopen(move |_, _| opened.send(()).unwrap());
        opens.recv_timeout(HANG).unwrap();
    }
}

/// FC-01: the state of a socket without listeners changes up to CLOSED.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_state_changes_without_listeners() {
    let socket = memory::builder(memory::greet_and_close).open().unwrap();
    timeout(HANG, async {
        while socket.ready_state() != ReadyState::Closed {
            tokio::task::yield_now().await;
        }
    })
    .await
    .unwrap();
    assert!(socket.closed().await.was_clean);
}

/// FC-01: the first call on an unused socket updates its state.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_call_finds_the_state_up_to_date() {
    let (socket, _ended) = memory::greeted_but_unused().await;
    assert_eq!(socket.ready_state(), ReadyState::Open);
    let (socket, _ended) = memory::greeted_but_unused().await;
    socket.send("it is open").unwrap();
}

/// FC-01: an unused socket closes with a closing handshake when it is dropped.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unused_socket_closes_when_it_is_dropped() {
    let (socket, ended) = memory::greeted_but_unused().await;
    drop(socket);
    assert!(timeout(HANG, ended).await.unwrap().unwrap());
}

/// FC-01: the first stream of a reconnecting socket receives every event, even after `send`.
#[test]
fn a_stream_on_the_next_line_misses_no_event_of_a_reconnecting_socket() {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime.worker_threads(2).enable_all().build().unwrap();
    for _ in 0..500 {
        let _inside = runtime.enter();
        let socket = ReconnectingWebSocket::builder(memory::builder(memory::greet)).open();
        socket.send("hello").unwrap();
        let first_two = socket.events().take(2).collect::<Vec<_>>();
        let events = runtime.block_on(async { timeout(HANG, first_two).await }).unwrap();
        assert!(matches!(events[0], ReconnectingEvent::Open));
        assert!(matches!(events[1], ReconnectingEvent::Message(_)));
    }
}

/// FC-01: a reconnecting socket that sends and never listens keeps reading from the server.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reconnecting_socket_that_only_sends_does_not_stall() {
    let (done, is_done) = oneshot::channel();
    let done = Arc::new(Mutex::new(Some(done)));
    let builder = memory::builder(move |mut socket: memory::Client| {
        let done = done.lock().unwrap().take();
        async move {
            assert_eq!(socket.recv().await.unwrap(), Some("hello".into()));
            for _ in 0..5000 {
                socket.send("more than may wait for a listener").await.unwrap();
            }
            socket.ping(b"").unwrap();
            let pong = poll_fn(|cx| socket.poll_event(cx)).await;
            assert!(matches!(pong, Some(Received::Pong(_))), "{pong:?}");
            done.unwrap().send(()).unwrap();
        }
    });
    let socket = ReconnectingWebSocket::builder(builder).open();
    socket.send("hello").unwrap();
    timeout(HANG, is_done).await.unwrap().unwrap();
}
