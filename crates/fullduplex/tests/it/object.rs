//! The `WebSocket` object with peers that stall, close or stay silent, and with handlers that are
//! added or removed or that panic.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use bytes::Bytes;
use fullduplex::{
    AfterClose, BinaryType, CloseEvent, Data, Event, EventType, Failure, Ports, ReadyState,
    Timeouts, WebSocket,
};
use fullduplex_lab::script::{
    BINARY, CLOSE, CONTINUATION, FIN, OPENING, PING, Peer, TEXT, answer_to, close_frame, deaf,
    frame, guarded, script,
};
use fullduplex_lab::trace::Trace;
use futures_util::StreamExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::oneshot;

const MIB: usize = 1 << 20;

fn message(event: Option<Event>) -> Data {
    match event {
        Some(Event::Message(message)) => message.data,
        other => panic!("expected a message, not {other:?}"),
    }
}

fn text(text: &str) -> Data {
    Data::Text(text.into())
}

/// Reads frames up to a client's Close. Returns their payloads and the body of the Close.
async fn read_to_close(peer: &mut Peer) -> (Vec<Vec<u8>>, Vec<u8>) {
    let mut payloads = Vec::new();
    loop {
        let frame = peer.read_frame().await.expect("a Close arrives before the end");
        assert!(frame.masked, "RFC6455-5.1-1: a client masks every frame: {frame:?}");
        if frame.first_byte == FIN | CLOSE {
            return (payloads, frame.payload);
        }
        payloads.push(frame.payload);
    }
}

// Connecting.

/// RFC6455-4.1-1, RFC6455-4.1-13, RFC6455-4.1-14, RFC6455-4.1-15, RFC6455-4.1-16, RFC6455-4.1-17,
/// RFC6455-4.1-18, RFC6455-4.1-20, RFC6455-4.1-21, WS-3.1, WS-3.2: every line of the request.
/// RFC6455-4.1-23: the client sends nothing else before the response.
#[tokio::test]
async fn the_opening_request_follows_the_standards() {
    let server = script(async move |mut peer: Peer| {
        let choosing = [&OPENING[..], &["Sec-WebSocket-Protocol: chat"]].concat();
        let request = peer.answer(&choosing).await;
        assert_eq!(peer.read_close().await, None, "nothing precedes the Close");
        peer.send(close_frame(1000, "")).await;
        peer.fin().await;
        request
    })
    .await;
    let host = server.address();
    let url = format!("HTTP://{host}/chat/../room?q=%23 ü");
    let socket = WebSocket::with(&url, ["echo", "chat"], |socket| {
        socket.set_onopen(|socket, _| socket.close());
    })
    .unwrap();
    let request = server.finish().await;
    let mut lines: Vec<&str> = request.trim_end().split("\r\n").collect();
    assert_eq!(lines.remove(0), "GET /room?q=%23%20%C3%BC HTTP/1.1");
    let key = lines.iter().position(|line| line.starts_with("Sec-WebSocket-Key: ")).unwrap();
    assert_eq!(lines.remove(key).len(), "Sec-WebSocket-Key: ".len() + 24);
    lines.sort_unstable();
    let expected = [
        "Cache-Control: no-cache",
        "Connection: Upgrade",
        &format!("Host: {host}"),
        "Pragma: no-cache",
        "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits",
        "Sec-WebSocket-Protocol: echo, chat",
        "Sec-WebSocket-Version: 13",
        "Upgrade: websocket",
    ];
    assert_eq!(lines, expected);
    assert!(guarded("the end", socket.closed()).await.was_clean);
}

// bufferedAmount

#[tokio::test]
async fn a_stalled_peer_keeps_buffered_amount_high() {
    let (read_on, wait) = oneshot::channel();
    let server = script(async move |mut peer: Peer| {
        peer.shake_hands().await;
        wait.await.unwrap();
        peer.await_end().await;
    })
    .await;
    let socket = WebSocket::new(&server.url(), ()).unwrap();
    let mut events = socket.events();
    assert_eq!(events.next().await, Some(Event::Open));
    let total = 64 * MIB as u64;
    socket.send(vec![7; 64 * MIB]).unwrap();
    assert_eq!(socket.buffered_amount(), total, "counted the moment that send returns");
    drop(events); // the driver now runs the tasks

    // The system buffers a few megabytes, not more.
    guarded("the first bytes", socket.buffered_below(total)).await;
    assert!(socket.buffered_amount() > total / 2, "{}", socket.buffered_amount());
    read_on.send(()).unwrap();
    guarded("the last byte", socket.buffered_below(1)).await;
    assert_eq!(socket.buffered_amount(), 0);
}

/// WHATWG: the amount falls at step 1 of the event loop, never while the application runs.
#[tokio::test]
async fn buffered_amount_falls_between_events_only() {
    let (received, was_received) = oneshot::channel();
    let server = script(async move |mut peer: Peer| {
        peer.shake_hands().await;
        assert_eq!(peer.read_frame().await.unwrap().payload, b"hello");
        received.send(()).unwrap();
        peer.await_end().await;
    })
    .await;
    let socket = WebSocket::new(&server.url(), ()).unwrap();
    let mut events = socket.events();
    assert_eq!(events.next().await, Some(Event::Open));
    socket.send("hello").unwrap();
    guarded("the peer's receipt", was_received).await.unwrap();
    assert_eq!(socket.buffered_amount(), 5, "the peer has received it, but no task has run");
    assert_eq!(events.try_next(), None);
    assert_eq!(socket.buffered_amount(), 0);
}

/// Writing a message does not wake a host that has not read `buffered_amount`. Written messages do
/// not count towards the limit, whether or not the host has run their task.
#[tokio::test]
async fn writes_wake_a_host_that_reads_buffered_amount() {
    let (received, mut was_received) = tokio::sync::mpsc::channel(1);
    let server = script(async move |mut peer: Peer| {
        peer.shake_hands().await;
        for _ in 0..3 {
            assert_eq!(peer.read_frame().await.unwrap().payload, b"hello");
            received.send(()).await.unwrap();
        }
        peer.await_end().await;
    })
    .await;
    let socket = WebSocket::builder(&server.url()).buffer_limit(8).open().unwrap();
    let mut events = socket.events();
    assert_eq!(events.next().await, Some(Event::Open));
    let wakeups = Arc::new(Wakeups::default());
    let waker = Waker::from(Arc::clone(&wakeups));
    let mut cx = Context::from_waker(&waker);
    for _ in 0..2 {
        socket.send("hello").unwrap();
        assert_eq!(events.poll_next_unpin(&mut cx), Poll::Pending);
        guarded("the peer's receipt", was_received.recv()).await.unwrap();
        assert_eq!(wakeups.count(), 0, "the amount was not read");
    }
    assert_eq!(socket.buffered_amount(), 5);
    assert_eq!(wakeups.count(), 1, "the amount falls now");
    assert_eq!(events.poll_next_unpin(&mut cx), Poll::Pending);
    assert_eq!(socket.buffered_amount(), 0);

    socket.send("hello").unwrap();
    assert_eq!(socket.buffered_amount(), 5);
    assert_eq!(wakeups.count(), 1, "not before the message is written");
    guarded("the peer's receipt", was_received.recv()).await.unwrap();
    assert_eq!(wakeups.count(), 2);
    assert_eq!(events.poll_next_unpin(&mut cx), Poll::Pending);
    assert_eq!(socket.buffered_amount(), 0);
}

/// A waker that counts its wakes.
#[derive(Default)]
struct Wakeups(AtomicUsize);

impl Wakeups {
    fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

impl Wake for Wakeups {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[tokio::test]
async fn more_than_the_buffer_limit_fails_the_connection() {
    let server = script(async move |mut peer: Peer| {
        peer.shake_hands().await;
        peer.await_end().await;
    })
    .await;
    let socket = WebSocket::builder(&server.url()).buffer_limit(MIB as u64);
    let trace = Trace::record_with(socket, |socket| {
        socket.set_onopen(|socket, _| {
            socket.send(vec![0; MIB]).unwrap();
            socket.send("one more").unwrap();
            assert_eq!(socket.buffered_amount(), MIB as u64 + 8);
        });
    })
    .await;
    assert_eq!(trace.events, ["open", "error", Trace::FAILED]);
    assert_eq!(trace.failure.unwrap(), Failure::BufferFull.to_string());
}

// Receiving.

#[tokio::test]
async fn frames_in_the_segment_of_the_handshake_come_after_open() {
    let server = script(async move |mut peer: Peer| {
        let request = peer.read_head().await;
        let frames = [frame(FIN | TEXT, "first"), close_frame(1001, "")].concat();
        peer.send([answer_to(&request, &OPENING), frames].concat()).await;
        assert_eq!(peer.read_frame().await.unwrap().first_byte, FIN | CLOSE);
    })
    .await;
    let (trace, ()) = server.record().await;
    assert_eq!(trace.events, ["open", "message \"first\"", "close 1001 \"\" clean"]);
}

/// RFC6455-5.4-4, RFC6455-5.5.3-1, RFC6455-5.6-1.
#[tokio::test]
async fn fragments_and_pings_make_one_message() {
    let server = script(async move |mut peer: Peer| {
        peer.shake_hands().await;
        let text = "Größe".as_bytes();
        peer.send(frame(TEXT, &text[..3])).await; // in the middle of the ö
        peer.send(frame(FIN | PING, "are you there?")).await;
        let pong = peer.read_frame().await.unwrap();
        assert_eq!((pong.first_byte, &pong.payload[..]), (FIN | 0xA, &b"are you there?"[..]));
        peer.send(frame(FIN | CONTINUATION, &text[3..])).await;
        peer.send(close_frame(1000, "")).await;
        peer.fin().await;
    })
    .await;
    let (trace, ()) = server.record().await;
    assert_eq!(trace.events[1], "message \"Größe\"");
}

#[tokio::test]
async fn binary_type_is_read_when_the_event_fires() {
    let server = script(async move |mut peer: Peer| {
        peer.shake_hands().await;
        peer.send([frame(FIN | BINARY, [1]), frame(FIN | BINARY, [2])].concat()).await;
        peer.send(close_frame(1000, "")).await;
        peer.fin().await;
    })
    .await;
    let socket = WebSocket::new(&server.url(), ()).unwrap();
    let mut events = socket.events();
    assert_eq!(socket.binary_type(), BinaryType::Blob);
    assert_eq!(events.next().await, Some(Event::Open));
    assert_eq!(message(events.next().await), Data::Blob(Bytes::from_static(&[1])));
    socket.set_binary_type(BinaryType::ArrayBuffer);
    assert_eq!(socket.binary_type(), BinaryType::ArrayBuffer);
    assert_eq!(message(events.next().await), Data::ArrayBuffer(Bytes::from_static(&[2])));
}

#[tokio::test]
async fn the_extensions_of_the_response_are_known() {
    let server = script(async move |mut peer: Peer| {
        let request = peer.read_head().await;
        let deflate = "Sec-WebSocket-Extensions: permessage-deflate";
        peer.send(answer_to(&request, &[&OPENING[..], &[deflate]].concat())).await;
        peer.await_end().await;
    })
    .await;
    let socket = WebSocket::new(&server.url(), ()).unwrap();
    assert_eq!(socket.extensions(), "");
    assert_eq!(socket.events().next().await, Some(Event::Open));
    assert_eq!(socket.extensions(), "permessage-deflate");
}

// Closing.

#[tokio::test]
async fn messages_after_close_are_delivered_or_dropped() {
    for (policy, expected) in [(AfterClose::Deliver, Some("late")), (AfterClose::Drop, None)] {
        let server = script(async move |mut peer: Peer| {
            peer.shake_hands().await;
            let close = read_to_close(&mut peer).await;
            peer.send(frame(FIN | TEXT, "late")).await;
            peer.send(close_frame(4000, "done")).await;
            close
        })
        .await;
        let socket = WebSocket::builder(&server.url()).after_close(policy).open().unwrap();
        let mut events = socket.events();
        assert_eq!(events.next().await, Some(Event::Open));
        socket.send("before").unwrap();
        socket.close();
        if let Some(expected) = expected {
            assert_eq!(message(events.next().await), text(expected));
            assert_eq!(socket.ready_state(), ReadyState::Closing);
        }
        let close = CloseEvent { was_clean: true, code: 4000, reason: "done".into() };
        assert_eq!(events.next().await, Some(Event::Close(close)), "{policy:?}");
        let (payloads, body) = server.finish().await;
        assert_eq!(payloads, [b"before"], "messages sent before the close");
        assert!(body.is_empty(), "WS-6.8: without arguments a Close has no body");
    }
}

/// Fault C11: messages that other threads send during a close are written before the Close,
/// complete and in order, or dropped. Messages sent earlier are written.
#[tokio::test]
async fn messages_that_race_with_a_close_are_written_before_it() {
    for before_close in 0..40 {
        let server = script(async move |mut peer: Peer| {
            peer.shake_hands().await;
            let (payloads, _) = read_to_close(&mut peer).await;
            peer.send(close_frame(1000, "")).await;
            let mut stream = peer.into_inner();
            stream.shutdown().await.unwrap();
            let mut behind = Vec::new();
            stream.read_to_end(&mut behind).await.unwrap();
            assert!(behind.is_empty(), "bytes after the Close");
            payloads
        })
        .await;
        let socket = WebSocket::new(&server.url(), ()).unwrap();
        let mut events = socket.events();
        assert_eq!(events.next().await, Some(Event::Open));
        drop(events); // the driver now runs the tasks
        let count = Arc::new(AtomicUsize::new(0));
        for thread in 0..2 {
            let (socket, count) = (socket.clone(), Arc::clone(&count));
            std::thread::spawn(move || {
                for number in 0..1000 {
                    socket.send(format!("{thread} {number}")).unwrap();
                    count.fetch_add(1, Ordering::Relaxed);
                    std::thread::yield_now();
                }
            });
        }
        let closer = socket.clone();
        std::thread::spawn(move || {
            while count.load(Ordering::Relaxed) < before_close {
                std::thread::yield_now();
            }
            closer.close();
        });
        let closed = guarded("the end", socket.closed()).await;
        assert!(closed.was_clean, "{before_close}: {closed:?}, {:?}", socket.failure());
        let payloads = server.finish().await;
        assert!(payloads.len() >= before_close, "{} of {before_close}", payloads.len());
        for thread in ["0 ", "1 "] {
            let texts = payloads.iter().map(|payload| str::from_utf8(payload).unwrap());
            let numbers = texts.filter_map(|text| text.strip_prefix(thread)).enumerate();
            numbers.for_each(|(index, number)| assert_eq!(number, index.to_string()));
        }
    }
}

#[tokio::test]
async fn the_socket_is_closing_from_the_peers_close_until_tcp_ends() {
    let (answered, was_answered) = oneshot::channel();
    let (end, wait) = oneshot::channel::<()>();
    let server = script(async move |mut peer: Peer| {
        peer.shake_hands().await;
        peer.send(close_frame(1001, "later")).await;
        answered.send(read_to_close(&mut peer).await.1).unwrap();
        wait.await.unwrap();
    })
    .await;
    let socket = WebSocket::new(&server.url(), ()).unwrap();
    let body = guarded("our Close", was_answered).await.unwrap();
    assert_eq!(&body[..2], 1001u16.to_be_bytes(), "RFC6455-5.5.1-6: with the code received");
    assert_eq!(socket.ready_state(), ReadyState::Closing);
    end.send(()).unwrap();
    let expected = CloseEvent { was_clean: true, code: 1001, reason: "later".into() };
    assert_eq!(guarded("the end", socket.closed()).await, expected);
}

/// RFC6455-5.5.1-7.
#[tokio::test]
async fn a_peer_that_never_answers_the_close_times_out() {
    let server = script(async move |mut peer: Peer| {
        peer.shake_hands().await;
        peer.await_end().await;
    })
    .await;
    let mut timeouts = Timeouts::default();
    timeouts.close = Duration::from_millis(100);
    let socket = WebSocket::builder(&server.url()).timeouts(timeouts);
    let trace = Trace::record_with(socket, |socket| {
        socket.set_onopen(|socket, _| socket.close());
    })
    .await;
    assert_eq!(trace.events, ["open", "error", Trace::FAILED]);
    assert!(trace.failure.unwrap().contains("did not answer the closing handshake"));
}

// Handlers and listeners.

/// Starts a server that sends these texts and closes.
async fn texts(texts: &'static [&'static str]) -> String {
    let server = script(async move |mut peer: Peer| {
        peer.shake_hands().await;
        for text in texts {
            peer.send(frame(FIN | TEXT, text)).await;
        }
        peer.send(close_frame(1000, "")).await;
        peer.fin().await;
    })
    .await;
    server.url()
}

#[tokio::test]
async fn a_handler_that_panics_does_not_stop_the_others() {
    let (tx, rx) = mpsc::channel();
    let url = texts(&["x"]).await;
    let socket = WebSocket::with(&url, (), |socket| {
        socket.set_onmessage(|_, _| panic!("part of the test"));
        socket.add_event_listener(EventType::Message, move |_, _| tx.send(()).unwrap());
    });
    let close = guarded("the end", socket.unwrap().closed()).await;
    assert_eq!((close.was_clean, rx.try_iter().count()), (true, 1));
}

#[tokio::test]
async fn handlers_change_while_events_fire() {
    let log = Arc::new(Mutex::new(Vec::new()));
    let url = texts(&["1", "2", "3"]).await;
    let logged = Arc::clone(&log);
    let socket = WebSocket::with(&url, (), |socket| {
        let note = move |name: &'static str| {
            let log = Arc::clone(&logged);
            move |data: &Data| {
                log.lock().unwrap().push(format!("{name} {}", data.as_text().unwrap()))
            }
        };
        let listener = |note: Box<dyn Fn(&Data) + Send>| {
            move |_: &WebSocket, event: &Event| note(&message(Some(event.clone())))
        };
        let (first, second) = (note("first handler"), note("second handler"));
        let mut second = Some(second);
        socket.set_onmessage(move |socket, event| {
            first(&event.data);
            let second = second.take().unwrap();
            socket.set_onmessage(move |socket, event| {
                second(&event.data);
                // A handler that is set after this is last in the list.
                socket.clear_handler(EventType::Message);
            });
        });
        let between =
            socket.add_event_listener(EventType::Message, listener(Box::new(note("listener"))));
        let last = note("last");
        socket.add_event_listener(EventType::Message, move |socket, event| {
            let data = message(Some(event.clone()));
            last(&data);
            if data == text("2") {
                assert!(socket.remove_event_listener(between));
            }
        });
    });
    guarded("the end", socket.unwrap().closed()).await;
    let expected = [
        "first handler 1",
        "listener 1",
        "last 1",
        "second handler 2",
        "listener 2",
        "last 2",
        "last 3",
    ];
    assert_eq!(*log.lock().unwrap(), expected);
}

#[tokio::test]
async fn a_listener_removed_during_its_event_is_not_called() {
    let url = texts(&["x"]).await;
    let socket = WebSocket::with(&url, (), |socket| {
        let id = Arc::new(Mutex::new(None));
        let later = Arc::clone(&id);
        socket.add_event_listener(EventType::Message, move |socket, _| {
            assert!(socket.remove_event_listener(later.lock().unwrap().unwrap()));
        });
        let removed = socket.add_event_listener(EventType::Message, |socket, _| {
            socket.close_with(4999, "it was called").unwrap();
        });
        *id.lock().unwrap() = Some(removed);
    });
    let close = guarded("the end", socket.unwrap().closed()).await;
    assert_eq!(close.code, 1000);
}

// Lifetime.

#[tokio::test]
async fn a_socket_without_handles_and_handlers_closes_without_a_code() {
    let server = script(async move |mut peer: Peer| {
        peer.shake_hands().await;
        read_to_close(&mut peer).await.1
    })
    .await;
    let socket = WebSocket::new(&server.url(), ()).unwrap();
    let mut events = socket.events();
    assert_eq!(events.next().await, Some(Event::Open));
    drop((socket, events));
    assert!(server.finish().await.is_empty(), "WS-9.2");
}

/// WS-9.1: a handler of an event that can no longer fire does not keep a socket open.
#[tokio::test]
async fn a_socket_whose_handlers_can_no_longer_be_called_closes() {
    let server = script(async move |mut peer: Peer| {
        peer.shake_hands().await;
        read_to_close(&mut peer).await.1
    })
    .await;
    let (opened, mut open) = tokio::sync::mpsc::unbounded_channel();
    let socket = WebSocket::with(&server.url(), (), |socket| {
        socket.set_onopen(move |_, _| opened.send(()).unwrap());
    })
    .unwrap();
    guarded("the open event", open.recv()).await.unwrap();
    drop(socket);
    assert!(guarded("the end", server.finish()).await.is_empty());
}

#[tokio::test]
async fn a_socket_with_a_handler_lives_without_a_handle() {
    let server = script(async move |mut peer: Peer| {
        peer.shake_hands().await;
        peer.send(frame(FIN | TEXT, "echo me")).await;
        let echo = peer.read_frame().await.unwrap().payload;
        peer.send(close_frame(1000, "")).await;
        echo
    })
    .await;
    let socket = WebSocket::with(&server.url(), (), |socket| {
        socket.set_onmessage(|socket, message| socket.send(message.data.clone()).unwrap());
    });
    drop(socket);
    assert_eq!(server.finish().await, b"echo me");
}

#[test]
fn a_dropped_runtime_closes_its_sockets() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (socket, closed) = runtime.block_on(async {
        let server = script(async move |mut peer: Peer| {
            peer.shake_hands().await;
            peer.await_end().await;
        })
        .await;
        let (close, closed) = mpsc::channel();
        let socket = WebSocket::new(&server.url(), ()).unwrap();
        socket.set_onclose(move |_, event| close.send(event.clone()).unwrap());
        assert_eq!(socket.events().next().await, Some(Event::Open));
        (socket, closed)
    });
    drop(runtime);
    assert_eq!(closed.try_recv().unwrap().code, 1006);
    assert_eq!(socket.ready_state(), ReadyState::Closed);
    assert!(matches!(*socket.failure().unwrap(), Failure::RuntimeGone));
}

// Hosts.

/// A game or a GUI runs events and handlers on its own thread, without a runtime.
#[test]
fn a_host_drains_the_events_on_its_own_thread() {
    let port = fullduplex_lab::echo::start(None);
    let mut events = None;
    // Created in the setup, because a later one could miss events that the background thread has
    // fired.
    let setup = |socket: &WebSocket| events = Some(socket.events());
    let socket = WebSocket::with(&format!("ws://127.0.0.1:{port}/"), (), setup).unwrap();
    let mut events = events.unwrap();
    let this_thread = std::thread::current().id();
    let (called, calls) = mpsc::channel();
    socket.set_onmessage(move |socket, message| {
        called.send(std::thread::current().id()).unwrap();
        if message.data.as_text() == Some("2") {
            socket.close();
        }
    });
    use EventType::{Close, Message, Open};
    let mut seen = Vec::new();
    let deadline = std::time::Instant::now() + Duration::from_secs(30);
    while !seen.contains(&Close) {
        assert!(std::time::Instant::now() < deadline, "only {seen:?}");
        while let Some(event) = events.try_next() {
            seen.push(event.event_type());
            if event == Event::Open {
                ["0", "1", "2"].into_iter().for_each(|text| socket.send(text).unwrap());
            }
        }
        std::thread::yield_now(); // a game draws its frame here
    }
    assert_eq!(seen, [Open, Message, Message, Message, Close]);
    assert!(calls.iter().take(3).all(|thread| thread == this_thread));
}

#[tokio::test]
async fn handlers_take_over_after_the_last_event_stream() {
    let url = texts(&["1", "2", "3"]).await;
    let socket = WebSocket::new(&url, ()).unwrap();
    let mut first = socket.events();
    assert_eq!(first.next().await, Some(Event::Open));
    let mut second = socket.events();
    assert_eq!(first.next().await, None, "creating the second stream ends the first");
    assert_eq!(message(second.next().await), text("1"));
    let (tx, rx) = mpsc::channel();
    socket.set_onmessage(move |_, message| tx.send(message.data.clone()).unwrap());
    assert_eq!(message(second.next().await), text("2"));
    drop((first, second));
    guarded("the end", socket.closed()).await;
    assert_eq!(rx.try_iter().collect::<Vec<_>>(), [text("2"), text("3")]);
}

// Ports.

#[tokio::test]
async fn a_blocked_port_fails_unless_allowed() {
    let socket = WebSocket::builder("ws://127.0.0.1:6000/");
    let trace = Trace::record(socket).await;
    assert_eq!(trace.events, ["error", Trace::FAILED]);
    assert_eq!(trace.failure.unwrap(), Failure::BlockedPort(6000).to_string());
    let (_held, address) = deaf();
    let socket = WebSocket::builder(&format!("ws://{address}/")).ports(Ports::Any);
    assert!(Trace::record(socket).await.failure.unwrap().contains("refused"));
}
