//! `Socket` without a server: errors, memory and cancel safety.

use std::error::Error;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use fullduplex_lab::script::{BINARY, FIN, SAMPLE_REQUEST, TEXT, masked_frame};
use fullduplex_net::proto::handshake::{Answer, Offer, Subprotocols};
use fullduplex_net::proto::{Message, Misuse, Role};
use fullduplex_net::{AcceptError, AcceptOptions, SendError, Socket, UpgradedOptions, accept};
use futures_util::FutureExt;
use tokio::io::{
    AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf, duplex,
};

/// A stream whose writes fail once `broken` is set.
struct Link {
    stream: DuplexStream,
    broken: Arc<AtomicBool>,
    /// Whether the next write is interrupted by a signal.
    is_interrupted: bool,
}

impl AsyncRead for Link {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Link {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.broken.load(Ordering::Relaxed) {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        if std::mem::take(&mut self.is_interrupted) {
            return Poll::Ready(Err(io::ErrorKind::Interrupted.into()));
        }
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// Returns a server's socket, its client, and the switch that breaks the server's writes.
async fn accepted() -> (Socket<Link>, DuplexStream, Arc<AtomicBool>) {
    let (mut client, stream) = duplex(1 << 20);
    let broken = Arc::new(AtomicBool::new(false));
    client.write_all(SAMPLE_REQUEST.as_bytes()).await.unwrap();
    let link = Link { stream, broken: Arc::clone(&broken), is_interrupted: false };
    (accept(link, &AcceptOptions::default()).await.unwrap(), client, broken)
}

/// RFC6455-4.2.1-1, RFC6455-7.2.2-1: the client receives one HTTP error, and nothing after the
/// request is read.
#[tokio::test]
async fn a_request_for_something_else_is_rejected_and_ends_the_connection() {
    let (mut client, stream) = duplex(1 << 20);
    let accepting = tokio::spawn(async move { accept(stream, &AcceptOptions::default()).await });
    client.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    client.write_all(SAMPLE_REQUEST.as_bytes()).await.unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 426 Upgrade Required\r\n"), "{answer}");
    assert!(answer.contains("\r\nConnection: close"), "{answer}");
    assert_eq!(answer.matches("HTTP/1.1").count(), 1, "the second request is not answered");
    drop(client);
    let refused = accepting.await.unwrap();
    assert!(matches!(refused, Err(AcceptError::Rejected(rejection)) if rejection.status() == 426));
}

/// `flush` and `send` fail after a write error, even if `recv` saw the error first.
#[tokio::test]
async fn a_discarded_message_is_never_reported_as_sent() {
    let (mut socket, _client, broken) = accepted().await;
    broken.store(true, Ordering::Relaxed);
    socket.feed("discarded").await.unwrap();
    assert!(socket.recv().now_or_never().is_none(), "recv sees the error and keeps reading");
    for _ in 0..2 {
        assert!(matches!(socket.flush().await, Err(SendError::Io(_))));
        assert!(matches!(socket.send("further").await, Err(SendError::Io(_))));
    }
}

#[tokio::test]
async fn messages_still_arrive_after_a_write_error() {
    let (mut socket, mut client, broken) = accepted().await;
    broken.store(true, Ordering::Relaxed);
    client.write_all(&masked_frame(FIN | TEXT, b"sent before")).await.unwrap();
    drop(client);
    assert!(socket.send("x").await.is_err());
    assert_eq!(socket.recv().await.unwrap(), Some(Message::from("sent before")));
    let error = socket.recv().await.expect_err("then recv reports the lost connection");
    let source = error.source().and_then(|error| error.downcast_ref::<io::Error>());
    assert_eq!(source.map(io::Error::kind), Some(io::ErrorKind::BrokenPipe));
    assert!(socket.recv().await.is_err(), "every further call reports it too");
}

/// A large message owns the buffer in which it arrived; later messages do not share it. A thread
/// reuses a buffer below 5 MiB, but not while a message still refers to it.
#[tokio::test]
async fn a_large_message_owns_its_memory() {
    let (mut socket, mut client, _) = accepted().await;
    let mut kept = Vec::new();
    for len in [500_000, 5 << 20, 500_000, 500_000] {
        let large = vec![kept.len() as u8; len];
        let wire =
            [masked_frame(FIN | BINARY, &large), masked_frame(FIN | TEXT, b"small")].concat();
        let received = async {
            let message = socket.recv().await.unwrap().unwrap();
            assert_eq!(socket.recv().await.unwrap(), Some(Message::from("small")));
            message
        };
        let (written, message) = tokio::join!(client.write_all(&wire), received);
        written.unwrap();
        let is_kept_by_thread = len < 5 << 20;
        assert!(message.payload().is_unique() || is_kept_by_thread, "{len}");
        kept.push((large, message));
    }
    for (large, message) in kept {
        assert!(message.payload() == &large[..]);
    }
}

/// Dropping a pending `recv`, `send` or `flush` neither loses nor repeats data.
#[tokio::test]
async fn dropped_futures_lose_nothing() {
    let (mut socket, mut client, _) = accepted().await;
    for byte in masked_frame(FIN | TEXT, b"byte by byte") {
        assert!(socket.recv().now_or_never().is_none());
        client.write_all(&[byte]).await.unwrap();
    }
    assert_eq!(socket.recv().await.unwrap(), Some(Message::from("byte by byte")));

    // The stream takes 1 MiB. The socket keeps the remaining messages complete.
    for number in 0..8u8 {
        drop(socket.send(vec![number; 300_000]).now_or_never());
    }
    drop(socket.flush().now_or_never());
    let mut received = bytes::BytesMut::new();
    let reader = async {
        // Skips the response to the opening request.
        let mut response = Vec::new();
        while !response.ends_with(b"\r\n\r\n") {
            response.push(client.read_u8().await.unwrap());
        }
        while client.read_buf(&mut received).await.unwrap() > 0 {}
    };
    let writer = async {
        socket.flush().await.unwrap();
        drop(socket);
    };
    tokio::join!(reader, writer);
    let mut numbers = Vec::new();
    while !received.is_empty() {
        let frame = received.split_to(10 + 300_000);
        assert!(frame[10..].iter().all(|&byte| byte == frame[10]));
        numbers.push(frame[10]);
    }
    assert!(numbers.is_sorted_by(|a, b| a < b) && numbers.len() >= 4, "{numbers:?}");
}

/// Returns a server's socket whose opening handshake is over, and its client.
fn upgraded() -> (Socket<DuplexStream>, DuplexStream) {
    let (client, server) = duplex(1 << 12);
    (Socket::from_upgraded(server, Role::Server, UpgradedOptions::default()), client)
}

/// RFC6455-5.5.2-1
#[tokio::test]
async fn a_ping_is_written_unless_the_socket_is_closing() {
    let (mut socket, mut client) = upgraded();
    socket.ping(b"hello").unwrap();
    socket.flush().await.unwrap();
    let mut ping = [0; 7];
    client.read_exact(&mut ping).await.unwrap();
    assert_eq!(&ping, b"\x89\x05hello");
    assert_eq!(socket.ping(&[0; 126]), Err(Misuse::PingTooLong(126)));
    socket.start_close(None);
    assert_eq!(socket.ping(b"hello"), Err(Misuse::Closing));
}

#[tokio::test]
async fn an_interrupted_write_is_repeated() {
    let (mut client, stream) = duplex(1 << 12);
    let link = Link { stream, broken: Arc::default(), is_interrupted: true };
    let mut socket = Socket::from_upgraded(link, Role::Server, UpgradedOptions::default());
    socket.send("hello").await.unwrap();
    let mut frame = [0; 7];
    client.read_exact(&mut frame).await.unwrap();
    assert_eq!(&frame, b"\x81\x05hello");
}

#[tokio::test]
async fn written_payload_is_counted_once() {
    let (mut socket, _client) = upgraded();
    socket.queue("hello").unwrap();
    assert_eq!(socket.queued_bytes(), 7);
    socket.send("there").await.unwrap();
    assert_eq!(socket.queued_bytes(), 0);
    assert_eq!((socket.take_written(), socket.take_written()), (10, 0));
}

#[tokio::test]
async fn a_violation_remains_readable_as_the_error() {
    let (mut socket, mut client) = upgraded();
    assert!(socket.error().is_none());
    client.write_all(b"\x81\x00").await.unwrap(); // a client must mask
    let error = socket.recv().await.unwrap_err();
    assert_eq!(socket.error().map(|error| error.to_string()), Some(error.to_string()));
}

#[tokio::test]
async fn an_upgraded_socket_has_the_negotiated_subprotocol() {
    let (_client, server) = duplex(1 << 12);
    let names = Subprotocols::new(["chat"]).unwrap();
    let answer = Answer::choosing(&Offer::extended_connect(names.clone()), &names);
    let options = UpgradedOptions::default().answer(answer);
    let socket = Socket::from_upgraded(server, Role::Server, options);
    assert_eq!(socket.subprotocol().map(ToString::to_string), Some("chat".to_owned()));
}
