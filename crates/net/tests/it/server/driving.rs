//! Tests when `Socket::drive` reads, writes and wakes. A stream in memory counts the operations.

use std::cell::RefCell;
use std::future::{Future, pending, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::Duration;

use fullduplex_lab::echo;
use fullduplex_lab::script::{
    CLOSE, FIN, PING, PONG, Peer, SAMPLE_REQUEST, TEXT, guarded, masked_frame,
};
use fullduplex_lab::served::Served;
use fullduplex_net::proto::{Message, Misuse, Role, Url};
use fullduplex_net::{
    AcceptOptions, ConnectOptions, HandlerResult, SendError, ServerOptions, Socket, Transport,
    UpgradedOptions, accept, connect,
};
use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf, duplex};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc;
use tokio::task::yield_now;
use tokio::time::sleep;

/// Counts the writes to a stream and the bytes read from it.
#[derive(Debug, Default)]
struct Uses {
    writes: AtomicUsize,
    bytes_read: AtomicUsize,
}

struct Counting {
    stream: DuplexStream,
    uses: Arc<Uses>,
}

impl AsyncRead for Counting {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(cx, buf);
        self.uses.bytes_read.fetch_add(buf.filled().len() - before, Relaxed);
        polled
    }
}

impl AsyncWrite for Counting {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.uses.writes.fetch_add(1, Relaxed);
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// Returns a client whose connection runs this handler in another task.
async fn driven<F>(
    handler: impl FnOnce(Socket) -> F + Send + 'static,
) -> (Peer<DuplexStream>, Arc<Uses>)
where
    F: Future<Output = HandlerResult> + Send + 'static,
{
    let (client, stream) = duplex(1 << 20);
    let uses = Arc::new(Uses::default());
    let stream = Transport::other(Counting { stream, uses: Arc::clone(&uses) });
    let mut client = Peer::over(client);
    client.send(SAMPLE_REQUEST).await;
    let mut options = AcceptOptions::default();
    options.timeouts.ping = None;
    let socket = accept(stream, &options).await.unwrap();
    client.read_head().await;
    uses.writes.store(0, Relaxed);
    uses.bytes_read.store(0, Relaxed);
    tokio::spawn(socket.drive(handler));
    (client, uses)
}

fn text(text: &str) -> Vec<u8> {
    masked_frame(FIN | TEXT, text)
}

/// Echoes each message from within a `FuturesUnordered`, which polls with its own wakers.
async fn echo_in_a_set(mut socket: Socket) -> HandlerResult {
    loop {
        let step = async {
            let message = socket.recv().await?;
            if let Some(message) = message {
                socket.send(message).await?;
            }
            HandlerResult::Ok(())
        };
        let mut set: FuturesUnordered<_> = [step].into_iter().collect();
        set.next().await.unwrap()?;
    }
}

/// The socket reads again only after the handler has taken the messages of the last read. So a slow handler
/// can still answer them, even if a Close has already arrived after them.
#[tokio::test]
async fn a_burst_is_answered_before_the_close_after_it() {
    let (mut client, _) = driven(|mut socket| async move {
        while let Some(message) = socket.recv().await? {
            yield_now().await;
            socket.send(message).await?;
        }
        Ok(())
    })
    .await;
    let close = masked_frame(FIN | CLOSE, [0x03, 0xE8]);
    client.send([text("again").repeat(8), close].concat()).await;
    // The handler reads the Close with the last message, so its last answer is dropped.
    for _ in 0..7 {
        assert_eq!(client.read_payload(FIN | TEXT).await, b"again");
    }
    assert_eq!(client.read_payload(FIN | CLOSE).await, [0x03, 0xE8]);
}

/// The socket reads again once the handler has taken the last message of a burst.
#[tokio::test]
async fn reading_continues_after_a_burst() {
    for elsewhere in [false, true] {
        let (mut client, _) = driven(move |mut socket| async move {
            let handler = async move {
                for _ in 0..8 {
                    socket.recv().await?;
                }
                pending().await
            };
            if elsewhere { tokio::spawn(handler).await? } else { handler.await }
        })
        .await;
        client.send([text("again").repeat(8), masked_frame(FIN | PING, "x")].concat()).await;
        assert_eq!(client.read_payload(FIN | PONG).await, b"x");
    }
}

/// Within a burst, `send` keeps messages until the handler waits.
#[tokio::test]
async fn a_message_sent_within_a_burst_is_written_when_the_handler_waits() {
    let (mut client, uses) = driven(|mut socket| async move {
        for _ in 0..2 {
            socket.recv().await?;
            socket.send("answer").await?;
            socket.send("another").await?;
        }
        assert!(socket.queued_bytes() >= 4 * 8, "kept messages count");
        pending().await
    })
    .await;
    client.send(text("again").repeat(8)).await;
    for expected in [b"answer" as &[u8], b"another"].repeat(2) {
        assert_eq!(client.read_payload(FIN | TEXT).await, expected);
    }
    assert_eq!(uses.writes.load(Relaxed), 1);
}

/// The handler's turn goes on while another thread uses the socket.
#[tokio::test]
async fn a_socket_that_moves_to_another_thread_within_a_burst_sends_in_order() {
    let (mut client, _) = driven(|mut socket| async move {
        socket.recv().await?;
        for _ in 0..3 {
            socket.send("here").await?;
            let elsewhere = thread::spawn(move || {
                let runtime = Builder::new_current_thread().build().unwrap();
                runtime.block_on(async {
                    socket.send("there").await.unwrap();
                    socket.feed("there").await.unwrap();
                });
                socket
            });
            socket = elsewhere.join().unwrap();
            socket.queue("here").unwrap();
        }
        pending().await
    })
    .await;
    client.send(text("again").repeat(8)).await;
    for expected in [b"here" as &[u8], b"there", b"there", b"here"].repeat(3) {
        assert_eq!(client.read_payload(FIN | TEXT).await, expected);
    }
}

/// A handler may drive another socket. Each keeps its own messages.
#[tokio::test]
async fn a_handler_that_drives_another_socket_sends_over_both() {
    let (inner, outer_end) = duplex(1 << 20);
    let options = UpgradedOptions::default;
    let inner = Socket::from_upgraded(inner, Role::Server, options());
    let mut outer_end = Peer::over(outer_end);
    outer_end.send(text("inner").repeat(8)).await;
    let (mut client, _) = driven(|mut socket| async move {
        let mut inner = pin!(inner.drive(async |mut inner| {
            while let Some(message) = inner.recv().await? {
                inner.send(message).await?;
            }
            HandlerResult::Ok(())
        }));
        for _ in 0..4 {
            let message = socket.recv().await?.unwrap();
            socket.send("first").await?;
            poll_fn(|cx| Poll::Ready(inner.as_mut().poll(cx).is_ready())).await;
            socket.send(message).await?;
        }
        inner.await
    })
    .await;
    client.send(text("outer").repeat(8)).await;
    for expected in [b"first", b"outer"].repeat(4) {
        assert_eq!(client.read_payload(FIN | TEXT).await, expected);
    }
    for _ in 0..8 {
        assert_eq!(outer_end.read_payload(FIN | TEXT).await, b"inner");
    }
}

#[tokio::test]
async fn no_message_is_sent_after_a_close_within_a_burst() {
    let (mut client, _) = driven(|mut socket| async move {
        socket.recv().await?;
        socket.send("before").await?;
        socket.start_close(None);
        let sent = socket.send("after").await;
        assert!(matches!(sent, Err(SendError::Misuse(Misuse::Closing))), "{sent:?}");
        Ok(())
    })
    .await;
    client.send(text("again").repeat(8)).await;
    assert_eq!(client.read_payload(FIN | TEXT).await, b"before");
    assert_eq!(client.read_payload(FIN | CLOSE).await, b"");
}

/// Messages that are too long to be kept, or for which there is no room, take their turn.
#[tokio::test]
async fn long_and_many_messages_within_a_burst_stay_in_order() {
    let lengths = [1, 512, 513, 0, 500, 2000, 7];
    let numbered = move || (0..100).map(move |i: usize| lengths[i % lengths.len()]);
    let (mut client, _) = driven(move |mut socket| async move {
        socket.recv().await?;
        for len in numbered() {
            socket.send("x".repeat(len)).await?;
        }
        pending().await
    })
    .await;
    client.send(text("again").repeat(8)).await;
    for len in numbered() {
        assert_eq!(client.read_payload(FIN | TEXT).await.len(), len);
    }
}

/// A thread-local runtime with a parked connection may be dropped after the thread-local buffers.
#[test]
fn a_runtime_may_be_dropped_with_its_thread() {
    thread_local! {
        static RUNTIME: RefCell<Option<Runtime>> = const { RefCell::new(None) };
    }
    let thread = thread::spawn(|| {
        RUNTIME.with_borrow_mut(|kept| {
            let runtime = Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let (mut client, _) = driven(echo::messages).await;
                client.send(text("again")).await;
                assert_eq!(client.read_payload(FIN | TEXT).await, b"again");
                tokio::spawn(async move {
                    let _client = client;
                    pending::<()>().await;
                });
                yield_now().await;
            });
            *kept = Some(runtime);
        });
    });
    thread.join().unwrap();
}

#[tokio::test]
async fn replies_to_a_burst_are_written_together() {
    let (mut client, uses) = driven(echo::messages).await;
    client.send(text("again").repeat(64)).await;
    for _ in 0..64 {
        assert_eq!(client.read_payload(FIN | TEXT).await, b"again");
    }
    let writes = uses.writes.load(Relaxed);
    assert!(writes <= 2, "{writes} writes");
}

/// A message is written when its handler waits for something else. The clock is paused, so no timer
/// can cause the write.
#[tokio::test(start_paused = true)]
async fn messages_are_written_when_the_handler_waits() {
    type Wait = fn() -> Pin<Box<dyn Future<Output = ()> + Send>>;
    let waits: [Wait; 4] = [
        || Box::pin(pending()),
        || Box::pin(sleep(Duration::from_secs(86_400))),
        || {
            Box::pin(async {
                let (_sender, mut receiver) = mpsc::channel::<()>(1);
                receiver.recv().await;
            })
        },
        || {
            Box::pin(async {
                let mut set: FuturesUnordered<_> = [pending::<()>()].into_iter().collect();
                set.next().await;
            })
        },
    ];
    for wait in waits {
        let (mut client, uses) = driven(move |mut socket| async move {
            socket.send("before").await?;
            socket.send("behind").await?;
            wait().await;
            Ok(())
        })
        .await;
        assert_eq!(client.read_payload(FIN | TEXT).await, b"before");
        assert_eq!(client.read_payload(FIN | TEXT).await, b"behind");
        assert_eq!(uses.writes.load(Relaxed), 1);
        client.send(masked_frame(FIN | PING, "?")).await;
        assert_eq!(client.read_payload(FIN | PONG).await, b"?");
    }
}

#[tokio::test(start_paused = true)]
async fn messages_are_written_when_the_handler_waits_in_a_select() {
    let (mut client, _) = driven(|mut socket| async move {
        let mut ticks = 0;
        loop {
            tokio::select! {
                received = socket.recv() => match received? {
                    Some(message) => socket.send(message).await?,
                    None => return Ok(()),
                },
                () = sleep(Duration::from_secs(1)) => {
                    ticks += 1;
                    socket.send(format!("tick {ticks}")).await?;
                }
            }
        }
    })
    .await;
    for round in 1..4 {
        assert_eq!(client.read_payload(FIN | TEXT).await, format!("tick {round}").as_bytes());
        client.send([text("now"), masked_frame(FIN | PING, "?")].concat()).await;
        assert_eq!(client.read_payload(FIN | TEXT).await, b"now");
        assert_eq!(client.read_payload(FIN | PONG).await, b"?");
    }
}

/// Counts the polls of `handler`.
async fn counted(
    polls: Arc<AtomicUsize>,
    handler: impl Future<Output = HandlerResult>,
) -> HandlerResult {
    let mut handler = pin!(handler);
    poll_fn(|cx| {
        polls.fetch_add(1, Relaxed);
        handler.as_mut().poll(cx)
    })
    .await
}

/// A handler is polled only if it can make progress, even if it polls the socket with another
/// waker.
#[tokio::test]
async fn a_waiting_handler_is_not_polled() {
    for in_a_set in [false, true] {
        let polls = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&polls);
        let (mut client, _) = driven(move |socket| async move {
            if in_a_set {
                counted(count, echo_in_a_set(socket)).await
            } else {
                counted(count, echo::messages(socket)).await
            }
        })
        .await;
        for _ in 0..100 {
            client.send(masked_frame(FIN | PING, "?")).await;
            assert_eq!(client.read_payload(FIN | PONG).await, b"?");
            client.send(text("again")).await;
            assert_eq!(client.read_payload(FIN | TEXT).await, b"again");
            for _ in 0..10 {
                yield_now().await;
            }
        }
        let polls = polls.load(Relaxed);
        assert!(polls <= 500, "{polls} polls, in a set: {in_a_set}");
    }
}

/// Fault FT-10: if the handler does not receive, the server reads once from the client. The remaining bytes
/// stay in the transport.
#[tokio::test]
async fn a_handler_that_does_not_receive_stops_reading() {
    let (open, opened) = tokio::sync::oneshot::channel::<()>();
    let (mut client, uses) = driven(move |mut socket| async move {
        opened.await?;
        for _ in 0..100 {
            assert_eq!(socket.recv().await?.unwrap().len(), 10_000);
        }
        socket.send("all").await?;
        socket.recv().await?;
        Ok(())
    })
    .await;
    let message = text(&"x".repeat(10_000));
    for _ in 0..100 {
        client.send(&message).await;
        yield_now().await;
    }
    let read = uses.bytes_read.load(Relaxed);
    assert!((message.len()..=64 << 10).contains(&read), "{read} bytes");
    open.send(()).unwrap();
    assert_eq!(client.read_payload(FIN | TEXT).await, b"all");
}

/// Fault FT-42: dropping every pending `recv` loses no message and keeps their order.
#[tokio::test]
async fn dropped_futures_lose_nothing() {
    const COUNT: usize = 12_000;
    let dropped = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&dropped);
    let (client, _) = driven(|mut socket| async move {
        loop {
            // Polls each future once, then drops it.
            let mut received = None;
            poll_fn(|cx| {
                if let Poll::Ready(message) = pin!(socket.recv()).poll(cx) {
                    received = Some(message);
                }
                Poll::Ready(())
            })
            .await;
            match received {
                Some(message) => match message? {
                    Some(message) => socket.feed(message).await?,
                    None => return Ok(()),
                },
                None => {
                    count.fetch_add(1, Relaxed);
                    yield_now().await;
                }
            }
        }
    })
    .await;
    let (reader, mut writer) = tokio::io::split(client.into_inner());
    let sending = async {
        for number in 0..COUNT {
            let message = text(&number.to_string());
            // Sends it byte by byte.
            for piece in message.chunks(1) {
                writer.write_all(piece).await.unwrap();
                yield_now().await;
            }
        }
    };
    let receiving = async {
        let mut reader = Peer::over(tokio::io::join(reader, tokio::io::sink()));
        for number in 0..COUNT {
            assert_eq!(reader.read_payload(FIN | TEXT).await, number.to_string().as_bytes());
        }
    };
    guarded("all messages", async { tokio::join!(sending, receiving) }).await;
    let dropped = dropped.load(Relaxed);
    assert!(dropped >= 100_000, "{dropped}");
}

/// Fault FT-43: messages of many tasks arrive whole, and those of one task in order.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_tasks_send_concurrently() {
    const TASKS: usize = 16;
    const COUNT: usize = 1_000_000 / TASKS;
    let served = Served::by(ServerOptions::default(), |request| async move {
        let mut socket = request.accept().await?;
        for task in 0..TASKS {
            let sender = socket.sender();
            tokio::spawn(async move {
                for number in 0..COUNT {
                    sender.send(format!("{task} {number}")).await.unwrap();
                }
            });
        }
        drop(socket.recv().await);
        Ok(())
    })
    .await;
    let url = Url::parse(&format!("ws://{}/", served.address())).unwrap();
    let (mut client, _) = connect(&url, &ConnectOptions::default()).await.unwrap();
    let mut next = [0; TASKS];
    for _ in 0..TASKS * COUNT {
        let message = guarded("a message", client.recv()).await.unwrap().unwrap();
        let Message::Text(text) = message else { panic!("a message is not text") };
        let (task, number) = text.as_str().split_once(' ').unwrap();
        let next = &mut next[task.parse::<usize>().unwrap()];
        assert_eq!(number.parse::<usize>().unwrap(), *next);
        *next += 1;
    }
    assert_eq!(next, [COUNT; TASKS]);
}

/// A part that the driver has read ahead keeps its place, whether the handler takes the rest in parts or whole.
#[tokio::test]
async fn a_part_that_was_read_ahead_is_received_either_way() {
    for (ends, whole) in [(false, false), (false, true), (true, false), (true, true)] {
        let (results, mut received) = mpsc::unbounded_channel();
        let (waiting, mut waits) = mpsc::unbounded_channel::<()>();
        let (resume, mut resumed) = mpsc::unbounded_channel::<()>();
        let (mut client, _) = driven(move |mut socket| async move {
            let first = socket.recv_part().await?.unwrap();
            assert_eq!((first.content, first.last), ("one, ".into(), false));
            waiting.send(())?;
            resumed.recv().await;
            let rest = if whole {
                socket.recv().await?.unwrap()
            } else {
                let mut rest = String::new();
                let mut is_last = false;
                while !is_last {
                    let part = socket.recv_part().await?.unwrap();
                    rest += part.content.as_text().unwrap();
                    is_last = part.last;
                }
                rest.into()
            };
            results.send(rest)?;
            pending().await
        })
        .await;
        client.send(masked_frame(TEXT, "one, ")).await;
        guarded("the first part", waits.recv()).await;
        let (second, third) =
            (masked_frame(if ends { FIN } else { 0 }, "two, "), masked_frame(FIN, "three"));
        client.send(second).await;
        // All tasks wait now: the driver has read the second part.
        yield_until_idle().await;
        resume.send(()).unwrap();
        if !ends {
            yield_until_idle().await;
            client.send(third).await;
        }
        let expected = if ends { "two, " } else { "two, three" };
        let rest = guarded("the rest", received.recv()).await.unwrap();
        assert_eq!(rest, expected.into(), "ends: {ends}, whole: {whole}");
    }
}

/// Lets all other tasks of this thread run until they wait.
async fn yield_until_idle() {
    for _ in 0..64 {
        yield_now().await;
    }
}

/// Wakes another waker. It is a waker of its own, like those of a set of futures.
struct Forward(Waker);

impl Wake for Forward {
    fn wake(self: Arc<Self>) {
        self.0.wake_by_ref();
    }
}

/// A handler that waits for room with a waker of its own still notices the end of its peer.
#[tokio::test]
async fn the_end_is_noticed_while_another_waker_waits_for_room() {
    let (result, mut ended) = mpsc::unbounded_channel();
    let (client, _) = driven(|mut socket| async move {
        let mut sending = pin!(async {
            loop {
                if let Err(error) = socket.send(vec![0; 2 << 20]).await {
                    break error;
                }
            }
        });
        let error = poll_fn(|cx| {
            let waker = Waker::from(Arc::new(Forward(cx.waker().clone())));
            sending.as_mut().poll(&mut Context::from_waker(&waker))
        });
        result.send(error.await)?;
        Ok(())
    })
    .await;
    let mut stream = client.into_inner();
    stream.shutdown().await.unwrap();
    guarded("the end", ended.recv()).await.unwrap();
}
