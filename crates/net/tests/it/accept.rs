//! `accept` and `Socket` with clients that are slow, send too much, or do not read.

use std::future::pending;
use std::io::IoSlice;
use std::time::Duration;

use fullduplex_lab::script::{
    BINARY, CLOSE, CONTINUATION, FIN, PING, SAMPLE_REQUEST, TEXT, guarded, masked_frame,
};
use fullduplex_net::proto::{
    CloseCode, CloseFrame, Connection, ConnectionError, DeflateConfig, Limits, Violation,
};
use fullduplex_net::{AcceptError, AcceptOptions, Socket, SocketError, accept};
use futures_util::FutureExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::time::{Instant, sleep};

const MIB: usize = 1 << 20;

/// Returns a server's socket and its client, which has already sent `wire`.
async fn accepted(options: &AcceptOptions, wire: &[u8]) -> (Socket<DuplexStream>, DuplexStream) {
    let (mut client, stream) = duplex(MIB);
    client.write_all(wire).await.unwrap();
    (accept(stream, options).await.unwrap(), client)
}

/// Returns the sample request, followed by `frames`.
fn request_and(frames: impl IntoIterator<Item = Vec<u8>>) -> Vec<u8> {
    let frames: Vec<u8> = frames.into_iter().flatten().collect();
    [SAMPLE_REQUEST.as_bytes(), &frames].concat()
}

/// Fault H16: `accept` ends at the deadline, no matter which step the client delays. The clock is virtual.
#[tokio::test(start_paused = true)]
async fn accept_ends_at_the_handshake_deadline() {
    const BAD: &str = "GET / HTTP/1.1\r\n\r\n";
    let second = Duration::from_secs(1);
    for (what, request, pause, transport, is_refused) in [
        ("sends nothing", "", second, 1024, false),
        ("sends a byte each second", SAMPLE_REQUEST, second, 1024, false),
        ("does not read the response", SAMPLE_REQUEST, Duration::ZERO, 16, false),
        ("does not read the rejection", BAD, Duration::ZERO, 16, true),
        ("reads the rejection and stays connected", BAD, Duration::ZERO, 1024, true),
    ] {
        let (mut client, stream) = duplex(transport);
        let options = AcceptOptions::default();
        let talking = async {
            for byte in request.bytes() {
                sleep(pause).await;
                client.write_u8(byte).await.unwrap();
            }
            pending().await
        };
        let start = Instant::now();
        let error = tokio::select! {
            accepted = guarded(what, accept(stream, &options)) => accepted.unwrap_err(),
            () = talking => unreachable!("the client never hangs up"),
        };
        assert_eq!(start.elapsed(), AcceptOptions::default().handshake_timeout, "{what}");
        assert_eq!(matches!(error, AcceptError::Rejected(_)), is_refused, "{what}: {error}");
    }
}

/// Faults H2 and H19.
#[tokio::test(start_paused = true)]
async fn a_slow_request_within_the_deadline_is_accepted() {
    let (mut client, stream) = duplex(1024);
    // Each pause is rounded up to a millisecond.
    let pause = AcceptOptions::default().handshake_timeout / (SAMPLE_REQUEST.len() as u32 + 10);
    let talking = async {
        for byte in SAMPLE_REQUEST.bytes() {
            sleep(pause).await;
            client.write_u8(byte).await.unwrap();
        }
    };
    let options = AcceptOptions::default();
    let (accepted, ()) = tokio::join!(accept(stream, &options), talking);
    assert!(accepted.is_ok());
}

/// Fault F7: `accept` reads at most one buffer beyond the request.
#[tokio::test]
async fn bytes_after_the_request_stay_in_the_transport() {
    let (mut client, mut stream) = duplex(8 * MIB);
    let wire = request_and([masked_frame(FIN | BINARY, vec![0; 4 * MIB])]);
    client.write_all(&wire).await.unwrap();
    client.shutdown().await.unwrap();
    drop(accept(&mut stream, &AcceptOptions::default()).await.unwrap());
    let mut left = Vec::new();
    stream.read_to_end(&mut left).await.unwrap();
    let taken = wire.len() - left.len();
    assert!(taken <= 16 << 10, "{taken} bytes");
}

/// Fault F7.
#[tokio::test]
async fn feed_waits_when_the_client_does_not_read() {
    const SIZE: usize = 10_000;
    let (mut socket, _client) =
        accepted(&AcceptOptions::default(), SAMPLE_REQUEST.as_bytes()).await;
    let fed = (0..1000).take_while(|_| socket.feed(vec![0; SIZE]).now_or_never().is_some());
    assert!(fed.count() * SIZE < 2 * MIB);
    assert!(socket.queued_bytes() < 128 << 10, "{}", socket.queued_bytes());
}

/// Returns the payload of a compressed message of zeros.
fn deflated_zeros(count: usize) -> Vec<u8> {
    let server = Connection::server(Limits::default(), Duration::ZERO);
    let mut server = server.with_deflate(DeflateConfig::default());
    server.send(vec![0; count]).unwrap();
    let mut slices = [IoSlice::new(&[])];
    assert_eq!(server.poll_output(&mut slices), 1);
    slices[0][2..].to_vec() // skips the header of a short, unmasked frame
}

/// Receives whole messages or parts until an error.
async fn receive_all(mut socket: Socket<DuplexStream>, in_parts: bool) -> SocketError {
    loop {
        let received = match in_parts {
            true => socket.recv_part().await.map(|part| part.is_some()),
            false => socket.recv().await.map(|message| message.is_some()),
        };
        match received {
            Ok(true) => {}
            Ok(false) => panic!("the connection was closed"),
            Err(error) => return error,
        }
    }
}

/// Fault F4: `recv` and `recv_part` apply the same limits, compressed or not.
#[tokio::test]
async fn every_way_of_receiving_applies_the_limits() {
    const LIMIT: usize = 1000;
    const FRAMES: usize = 10;
    let mut options = AcceptOptions::default().deflate(DeflateConfig::default());
    (options.limits.message_bytes, options.limits.message_frames) = (LIMIT, FRAMES);
    let too_big = Violation::MessageTooBig { limit: LIMIT };
    let too_many = Violation::TooManyFrames { limit: FRAMES };
    let compressed = FIN | 0x40 | BINARY;
    let bomb = deflated_zeros(10_000);
    let begin = || masked_frame(BINARY, "");
    let empty = || masked_frame(CONTINUATION, "");
    for (wire, violation) in [
        (vec![masked_frame(FIN | TEXT, vec![b'x'; LIMIT + 1])], too_big),
        (vec![masked_frame(TEXT, "x"), masked_frame(CONTINUATION, vec![b'x'; LIMIT])], too_big),
        (vec![masked_frame(compressed, &bomb)], too_big),
        (vec![begin(), empty().repeat(FRAMES)], too_many),
    ] {
        for in_parts in [false, true] {
            let extension = "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n";
            let request = SAMPLE_REQUEST.replace("\r\n\r\n", &format!("\r\n{extension}"));
            let wire = [request.as_bytes(), &wire.concat()].concat();
            let (socket, client) = accepted(&options, &wire).await;
            let receiving = receive_all(socket, in_parts);
            drop(client);
            let failure = receiving.await.failure();
            assert_eq!(failure, ConnectionError::Violation(violation), "in parts: {in_parts}");
        }
    }
}

/// Fault C15: `close` reads up to the client's Close. If the client sends no Close, `close` ends at the
/// deadline.
#[tokio::test(start_paused = true)]
async fn a_server_that_never_receives_can_close() {
    let both = [masked_frame(FIN | PING, "?"), masked_frame(FIN | TEXT, "unread")].concat();
    let frames = || std::iter::repeat_n(both.clone(), 100);
    let bye = CloseFrame::code(CloseCode::NORMAL);
    let options = AcceptOptions::default();

    let close = masked_frame(FIN | CLOSE, 4000u16.to_be_bytes());
    let (mut socket, client) = accepted(&options, &request_and(frames().chain([close]))).await;
    let closed = guarded("the end", socket.close(Some(bye.clone()))).await.unwrap();
    assert_eq!((closed.code(), closed.was_clean()), (4000, true));
    drop(client);

    let (mut socket, _client) = accepted(&options, &request_and(frames())).await;
    let start = Instant::now();
    let error = guarded("the end", socket.close(Some(bye))).await.unwrap_err();
    assert_eq!(error.failure(), ConnectionError::CloseTimeout);
    assert_eq!(start.elapsed(), AcceptOptions::default().timeouts.close);
}
