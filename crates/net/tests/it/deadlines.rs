//! Deadlines hold even if the transport always has more to read.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use fullduplex_lab::script::{FIN, PING, SAMPLE_REQUEST, TEXT, guarded, masked_frame};
use fullduplex_net::proto::ConnectionError;
use fullduplex_net::{AcceptOptions, Socket, accept};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, sleep};

/// A peer that reads everything and sends one frame over and over.
struct Talker {
    request: &'static [u8],
    frames: Vec<u8>,
}

impl AsyncRead for Talker {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.request.is_empty() {
            let (next, rest) = self.request.split_at(buf.remaining().min(self.request.len()));
            buf.put_slice(next);
            self.request = rest;
            return Poll::Ready(Ok(()));
        }
        // Returns the bytes of `frames` that fit into the buffer.
        let count = buf.remaining().min(self.frames.len());
        buf.put_slice(&self.frames[..count]);
        self.frames.rotate_left(count);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Talker {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// Returns the server's socket of a client that sends `frame` over and over.
async fn accepted(frame: Vec<u8>, options: &AcceptOptions) -> Socket<Talker> {
    let frames = frame.repeat(512);
    accept(Talker { request: SAMPLE_REQUEST.as_bytes(), frames }, options).await.unwrap()
}

/// How the application reads while the connection closes.
#[derive(Debug, Clone, Copy)]
enum Host {
    ReadsAll,
    ReadsSlowly,
    OnlyWrites,
    Closes,
}

/// FS-02: a peer that ignores our Close and keeps sending is cut off, no matter how the application reads.
#[tokio::test]
async fn a_closing_connection_ends_at_its_deadline() {
    let mut options = AcceptOptions::default();
    options.timeouts.close = Duration::from_millis(300);
    for frame in [masked_frame(FIN | PING, "?"), masked_frame(FIN | TEXT, "!")] {
        for host in [Host::ReadsAll, Host::ReadsSlowly, Host::OnlyWrites, Host::Closes] {
            let mut socket = accepted(frame.clone(), &options).await;
            let begun = Instant::now();
            let run = async {
                match host {
                    Host::Closes => drop(socket.close(None).await),
                    _ => socket.start_close(None),
                }
                while socket.close_result().is_none() {
                    match host {
                        Host::ReadsAll | Host::Closes => drop(socket.recv().await),
                        Host::ReadsSlowly => {
                            drop(socket.recv().await);
                            sleep(Duration::from_millis(20)).await;
                        }
                        Host::OnlyWrites => {
                            let _ = poll_fn(|cx| socket.poll_without_reading(cx)).await;
                            sleep(Duration::from_millis(20)).await;
                        }
                    }
                }
            };
            guarded("the end of a closing connection", run).await;
            let elapsed = begun.elapsed();
            assert!(elapsed < Duration::from_secs(2), "{host:?}: {elapsed:?}");
            let failure = socket.close_result().unwrap().failure();
            assert_eq!(failure, Some(ConnectionError::CloseTimeout), "{host:?}");
        }
    }
}

/// FS-03: a flood of Pings does not keep an idle connection open.
#[tokio::test]
async fn a_ping_flood_does_not_outlive_the_idle_limit() {
    let mut options = AcceptOptions::default();
    options.timeouts.idle = Some(Duration::from_millis(300));
    options.timeouts.close = Duration::from_millis(300);
    let mut socket = accepted(masked_frame(FIN | PING, [0; 125]), &options).await;
    let begun = Instant::now();
    assert!(guarded("the end of an idle connection", socket.recv()).await.is_err());
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    assert_eq!(socket.close_result().unwrap().failure(), Some(ConnectionError::CloseTimeout));
}
