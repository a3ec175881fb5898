//! The cost of hostile clients (faults FT-15, FT-18, FT-21 and FT-25) for the task that serves them
//! and for other tasks. `fullduplex-proto` has tests of the same name for the protocol alone.

use std::cell::Cell;
use std::io::Write;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use allocation_counter::measure;
use fullduplex_lab::faulty::{Failing, Faulty, Kind, Operation};
use fullduplex_lab::figures::show;
use fullduplex_lab::script::{
    BINARY, FIN, PING, PONG, SAMPLE_REQUEST, TEXT, guarded, header, masked_frame,
};
use fullduplex_net::proto::ConnectionError;
use fullduplex_net::{AcceptError, AcceptOptions, Socket, accept};
use futures_util::FutureExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::task::yield_now;

/// The defaults of `Limits::head_bytes` and `Limits::head_headers`.
const MAX_BYTES: usize = 16 << 10;
const MAX_HEADERS: usize = 100;

/// Returns a runtime on this thread, so that its allocations are counted.
fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap()
}

/// Returns a server's socket and its client, which has read the response.
async fn opened(transport: usize) -> (Socket<DuplexStream>, DuplexStream) {
    let (stream, mut client) = duplex(transport);
    client.write_all(SAMPLE_REQUEST.as_bytes()).await.unwrap();
    let socket = accept(stream, &AcceptOptions::default()).await.unwrap();
    let mut response = Vec::new();
    while !response.ends_with(b"\r\n\r\n") {
        response.push(client.read_u8().await.unwrap());
    }
    (socket, client)
}

/// Fault FT-18: a frame header that announces 64 MiB costs one read buffer.
#[test]
fn a_header_alone_costs_one_read_buffer() {
    let runtime = runtime();
    let mut most = 0;
    for first_byte in [FIN | BINARY, FIN | TEXT, BINARY, TEXT] {
        let (mut socket, mut client) = runtime.block_on(opened(1024));
        let mut header = header(first_byte, 64 << 20);
        header[1] |= 0x80;
        header.extend([1, 2, 3, 4]);
        let cost = measure(|| {
            runtime.block_on(async {
                client.write_all(&header).await.unwrap();
                assert!(socket.recv().now_or_never().is_none());
            });
        });
        most = most.max(cost.bytes_current);
    }
    show("FT-18", "a frame of 64 MiB, and nothing of it", format!("{most} bytes kept"));
    assert!(most <= 64 << 10);
}

/// Fault FT-15: a client that sends Pings and does not read the Pongs.
#[test]
fn a_ping_flood_costs_a_few_kilobytes() {
    let runtime = runtime();
    for size in [0, 125] {
        let (mut socket, mut client) = runtime.block_on(opened(64 << 10));
        let pings = masked_frame(FIN | PING, vec![7; size]).repeat(1000);
        let cost = measure(|| {
            runtime.block_on(async {
                for _ in 0..1000 {
                    let sending = client.write_all(&pings);
                    let receiving = socket.recv();
                    tokio::select! {
                        sent = sending => sent.unwrap(),
                        received = receiving => panic!("{received:?}"),
                    }
                }
            });
        });
        let peak = format!("peak {} bytes, {} queued", cost.bytes_max, socket.queued_bytes());
        show("FT-15", format!("1,000,000 pings of {size} bytes, to a server"), peak);
        assert!(cost.bytes_max < 1 << 20);
    }
}

/// Fault FT-25: a malformed or oversized head is answered and ends the connection. Little is read
/// beyond the limit.
#[test]
fn a_bad_head_is_answered_before_much_is_read() {
    let runtime = runtime();
    let request = |lines: &str| SAMPLE_REQUEST.replace("\r\n\r\n", &format!("\r\n{lines}\r\n\r\n"));
    let many =
        |count: usize| (0..count).map(|n| format!("h{n}: x\r\n")).collect::<String>() + "x: y";
    for (attack, head, status) in [
        ("a head of 1 MiB", request(&"x: y\r\n".repeat(1 << 18)), 431),
        ("one header of 64 KiB", request(&format!("x: {}", "y".repeat(64 << 10))), 431),
        ("a first line of 1 MiB", format!("GET /{}", "x".repeat(1 << 20)), 431),
        ("10,000 headers", request(&many(10_000)), 431),
        ("101 headers", request(&many(MAX_HEADERS)), 431),
        ("a folded header", request("x: y\r\n z"), 400),
        ("a bare line feed", request("x: y\nz: a"), 400),
        ("a NUL", request("x: \0"), 400),
        ("an 8-bit name", request("\u{E4}: x"), 400),
    ] {
        let (mut before, mut after) = (0, 0);
        let cost = measure(|| {
            let (stream, client) = duplex(64 << 10);
            let (stream, operations) = Faulty::new(stream, Failing::Never);
            let options = AcceptOptions::default();
            let (refused, response) = runtime.block_on(async {
                tokio::join!(accept(stream, &options), pour(client, head.as_bytes()))
            });
            assert!(matches!(refused, Err(AcceptError::Rejected(_))), "{attack}");
            let line = format!("HTTP/1.1 {status} ");
            assert!(response.starts_with(line.as_bytes()), "{attack}: {}", response.escape_ascii());
            let operations = operations.take();
            let answered = operations.iter().position(|operation| operation.kind == Kind::Write);
            (before, after) = (read(&operations[..answered.unwrap()]), read(&operations));
        });
        let figure =
            format!("{status} after {before} bytes of {after} read, peak {}", cost.bytes_max);
        show("FT-25", attack, figure);
        // The read that crosses the limit takes at most 4 KiB.
        assert!(before <= MAX_BYTES + (4 << 10) && after <= before + (64 << 10));
    }
}

fn read(operations: &[Operation]) -> usize {
    let reads = operations.iter().filter(|operation| operation.kind == Kind::Read);
    reads.map(|operation| operation.outcome.unwrap()).sum()
}

/// Sends all of `bytes`, even if the server does not read them. Returns the response.
async fn pour(client: DuplexStream, bytes: &[u8]) -> Vec<u8> {
    let (mut reader, mut writer) = tokio::io::split(client);
    let mut response = Vec::new();
    let writing = async { drop(writer.write_all(bytes).await) };
    let (read, ()) = tokio::join!(reader.read_to_end(&mut response), writing);
    read.unwrap();
    response
}

/// Fault FT-21: a task that receives tiny messages yields after at most 10,000 messages. This takes one
/// millisecond at ten million messages a second.
#[tokio::test]
async fn a_flood_of_tiny_messages_lets_other_tasks_run() {
    const COUNT: usize = 999_999;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || flood(address, COUNT));
    let (stream, _) = listener.accept().await.unwrap();
    let mut socket = accept(stream, &AcceptOptions::default()).await.unwrap();

    let count = Cell::new(0);
    let mut longest = 0;
    let start = Instant::now();
    let receiving = async {
        while count.get() < COUNT {
            socket.recv().await.unwrap().unwrap();
            count.set(count.get() + 1);
        }
    };
    let other_task = async {
        while count.get() < COUNT {
            let before = count.get();
            yield_now().await;
            longest = longest.max(count.get() - before);
        }
    };
    guarded("the end of the flood", async { tokio::join!(other_task, receiving) }).await;
    let rate = COUNT as f64 / start.elapsed().as_secs_f64();
    let figure = format!("{longest} at a time, {rate:.0} a second");
    show("FT-21", "1,000,000 messages of 0 to 2 bytes", figure);
    assert!(longest <= 10_000);
}

/// A client that keeps sending after our Close is dropped at the deadline. Other tasks keep
/// running.
#[tokio::test]
async fn a_closing_peer_that_never_pauses_is_dropped() {
    let fragment = masked_frame(0x00, "");
    for (what, begin, unit) in [
        ("messages", vec![], masked_frame(FIN | TEXT, "a")),
        ("fragments", masked_frame(TEXT, ""), fragment),
        ("pongs", vec![], masked_frame(FIN | PONG, "")),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            let mut stream = std::net::TcpStream::connect(address).unwrap();
            stream.write_all(SAMPLE_REQUEST.as_bytes()).unwrap();
            stream.write_all(&begin).unwrap();
            let flood = unit.repeat(10_000);
            while stream.write_all(&flood).is_ok() {}
        });
        let (stream, _) = listener.accept().await.unwrap();
        let mut options = AcceptOptions::default();
        options.limits.message_frames = usize::MAX;
        options.timeouts.close = Duration::from_millis(300);
        let mut socket = accept(stream, &options).await.unwrap();
        socket.start_close(None);
        let mut turns = 0;
        let ended = Cell::new(false);
        let receiving = async {
            while let Ok(Some(_)) = socket.recv().await {}
            ended.set(true);
        };
        let other_task = async {
            while !ended.get() {
                turns += 1;
                yield_now().await;
            }
        };
        guarded("the end of a flood", async { tokio::join!(other_task, receiving) }).await;
        let closed = socket.close_result().unwrap();
        assert_eq!(closed.failure(), Some(ConnectionError::CloseTimeout), "{what}");
        show("FT-21", format!("{what} without a pause"), format!("another task ran {turns} times"));
        assert!(turns > 5, "{what}: {turns} turns");
    }
}

/// Sends `count` tiny messages at once, and waits until the server ends the connection.
fn flood(address: SocketAddr, count: usize) {
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    stream.write_all(SAMPLE_REQUEST.as_bytes()).unwrap();
    let three = ["", "a", "ab"].map(|text| masked_frame(FIN | TEXT, text)).concat();
    stream.write_all(&three.repeat(count / 3)).unwrap();
    std::io::copy(&mut stream, &mut std::io::sink()).unwrap();
}
