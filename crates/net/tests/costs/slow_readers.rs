//! The cost of clients that read slowly or not at all (faults FT-08 and FT-09), and how a handler and a
//! `Sender` notice such clients.

use std::future::Future;
use std::time::Duration;

use allocation_counter::measure;
use fullduplex_lab::echo;
use fullduplex_lab::figures::show;
use fullduplex_lab::script::{FIN, Peer, SAMPLE_REQUEST, TEXT, guarded, masked_frame};
use fullduplex_lab::served::Served;
use fullduplex_net::proto::Prepared;
use fullduplex_net::{
    AcceptOptions, HandlerResult, Request, Sender, ServerOptions, Socket, Transport, TrySendError,
    accept,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::sync::{mpsc, oneshot};
use tokio::task::yield_now;
use tokio::time::Instant;

const MIB: usize = 1 << 20;

/// How many bytes the transport in memory buffers.
const TRANSPORT: usize = 16 << 10;

/// Starts a connection with this handler. Returns its client, and a receiver of the handler's
/// result.
async fn driven<F>(
    handler: impl FnOnce(Socket) -> F + Send + 'static,
) -> (Peer<DuplexStream>, oneshot::Receiver<HandlerResult>)
where
    F: Future<Output = HandlerResult> + Send + 'static,
{
    let (client, stream) = duplex(TRANSPORT);
    let mut client = Peer::over(client);
    client.send(SAMPLE_REQUEST).await;
    let socket = accept(Transport::other(stream), &AcceptOptions::default()).await.unwrap();
    client.read_head().await;
    let (tx, rx) = oneshot::channel();
    tokio::spawn(socket.drive(|socket| async move {
        tx.send(handler(socket).await).ok();
        HandlerResult::Ok(())
    }));
    (client, rx)
}

/// `feed` and `flush` fail as soon as the client that they wait for has disconnected.
#[tokio::test(start_paused = true)]
async fn waiting_for_a_client_that_disconnected_fails_at_once() {
    for flushes in [false, true] {
        let (client, ended) = driven(move |mut socket| async move {
            loop {
                socket.feed(vec![0; MIB]).await?;
                if flushes {
                    socket.flush().await?;
                }
            }
        })
        .await;
        let mut client = client.into_inner();
        yield_now().await;
        client.shutdown().await.unwrap();
        let start = Instant::now();
        let outcome = guarded("the result of the handler", ended).await.unwrap();
        assert!(outcome.is_err());
        assert_eq!(start.elapsed(), Duration::ZERO, "flushes: {flushes}");
    }
}

/// Fault FT-09: messages for a client that never reads cost at most the limit of its queue, with every
/// overflow policy.
#[test]
fn a_client_that_never_reads_costs_the_limit_of_its_queue() {
    const OFFERED: usize = 1 << 30;
    const BOUND: usize = 256 << 10;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    for policy in ["wait", "drop", "close"] {
        let (_client, sender) = runtime.block_on(async {
            let (tx, rx) = oneshot::channel();
            let (client, _) = driven(|mut socket| async move {
                drop(tx.send(socket.sender().with_capacity(BOUND)));
                drop(socket.recv().await?);
                Ok(())
            })
            .await;
            (client, rx.await.unwrap())
        });
        let cost = measure(|| runtime.block_on(offer(&sender, policy, OFFERED)));
        show("FT-09", format!("1 GiB offered, {policy}"), format!("{} bytes kept", cost.bytes_max));
        assert!(cost.bytes_max <= (BOUND + MIB) as u64, "{policy}: {}", cost.bytes_max);
    }
}

/// Sends `bytes` in messages of 10,000, until the policy stops it.
async fn offer(sender: &Sender, policy: &str, bytes: usize) {
    const SIZE: usize = 10_000;
    let count = bytes / SIZE;
    let (mut refused, mut is_waiting) = (0, false);
    for _ in 0..count {
        match sender.try_send(vec![0; SIZE]) {
            Ok(()) => yield_now().await,
            Err(TrySendError::Closed(_)) => break,
            Err(TrySendError::Full(_)) if policy == "drop" => refused += 1,
            Err(TrySendError::Full(_)) if policy == "close" => sender.close(None),
            Err(TrySendError::Full(_)) => {
                let mut sending = std::pin::pin!(sender.send(vec![0; SIZE]));
                tokio::select! {
                    biased;
                    _ = &mut sending => unreachable!("the client reads nothing"),
                    () = yield_now() => is_waiting = true,
                }
                break;
            }
        }
    }
    assert_eq!(policy == "drop", refused > count * 9 / 10);
    assert_eq!(policy == "close", sender.is_closed());
    assert_eq!(policy == "wait", is_waiting);
}

/// Fault FT-08: `send` waits at the high-water mark, which a single message may exceed.
#[test]
fn send_to_a_slow_reader_waits_at_the_high_water_mark() {
    const SIZE: usize = 10_000;
    const COUNT: usize = 10 * MIB / SIZE;
    const HIGH_WATER: usize = 64 << 10;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let (tx, mut rx) = mpsc::unbounded_channel();
    let mut opened = None;
    let cost = measure(|| {
        runtime.block_on(async {
            opened = Some(
                driven(move |mut socket| async move {
                    for _ in 0..COUNT {
                        socket.send(vec![7; SIZE]).await?;
                        tx.send(())?;
                    }
                    Ok(())
                })
                .await,
            );
            for _ in 0..100 {
                yield_now().await;
            }
        });
    });
    let taken = rx.len() * SIZE;
    let figure = format!("{taken} bytes taken, {} at most in memory", cost.bytes_max);
    show("FT-08", "10 MiB to a client that does not read", figure);
    assert!(taken <= HIGH_WATER + TRANSPORT + SIZE);
    assert!(cost.bytes_max as usize <= 2 * (HIGH_WATER + TRANSPORT + SIZE));

    // Sending continues when the client reads.
    runtime.block_on(async {
        let mut wire = opened.unwrap().0.into_inner().take((COUNT * (SIZE + 4)) as u64);
        let mut sink = tokio::io::sink();
        let reading = tokio::io::copy(&mut wire, &mut sink);
        guarded("all messages", reading).await.unwrap();
        for _ in 0..COUNT {
            rx.recv().await.unwrap();
        }
    });
}

/// Fault FT-08: 10 MiB queued for a client that reads nothing do not slow other clients down.
#[tokio::test]
async fn a_slow_reader_does_not_slow_other_clients() {
    const OTHERS: usize = 100;
    let served = Served::by(ServerOptions::default(), |request: Request| async move {
        let is_slow = request.uri().path() == "/slow";
        let mut socket = request.accept().await?;
        if is_slow {
            let sender = socket.sender().with_capacity(10 * MIB);
            let message = Prepared::new(vec![0; 100_000]);
            while sender.try_send(message.clone()).is_ok() {}
        }
        echo::messages(socket).await
    })
    .await;
    let mut clients = Vec::new();
    for _ in 0..OTHERS {
        clients.push(served.client().await);
    }
    let before = round_trips(&mut clients).await;
    let mut slow = Peer::connect(served.address()).await;
    slow.open(&SAMPLE_REQUEST.replace("/chat", "/slow")).await;
    let beside = round_trips(&mut clients).await;
    show(
        "FT-08",
        "99 % of round trips of 100 other clients",
        format!("{before:?}, then {beside:?}"),
    );
    // Allows for noise of a quarter of a millisecond.
    assert!(beside <= 2 * before + Duration::from_micros(250));
    drop(slow);
}

/// Returns the 99th percentile of the round trips.
async fn round_trips(clients: &mut [Peer]) -> Duration {
    let mut times = Vec::new();
    for _ in 0..20 {
        for client in &mut *clients {
            let start = std::time::Instant::now();
            client.send(masked_frame(FIN | TEXT, "?")).await;
            assert_eq!(client.read_payload(FIN | TEXT).await, b"?");
            times.push(start.elapsed());
        }
    }
    times.sort_unstable();
    times[times.len() * 99 / 100]
}
