use std::any::Any;
use std::future::poll_fn;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use bytes::Bytes;
use fullduplex_proto::Limits;
use h2::Ping;
use h2::client::{Builder, SendRequest};
use tokio::sync::oneshot;
use tokio::task::AbortHandle;
use tokio::time::{Instant, interval_at};

use crate::http2::error::io_error;
use crate::http2::{SEND_BUFFER, connection_window};
use crate::transport::Transport;

/// The window of a stream. A server can send as much before the application receives.
const STREAM_WINDOW: u32 = 256 << 10;

/// The interval of PING frames. A connection whose PING is not answered within this time has failed. A
/// connection without streams ends after two to three intervals.
const KEEPALIVE: Duration = Duration::from_secs(30);

/// An HTTP/2 connection. A task does its I/O.
#[derive(Debug)]
pub(super) struct Connection {
    handle: Handle,
    driver: AbortHandle,
}

/// A connection with a place for one more stream.
#[derive(Debug, Clone)]
pub(super) struct Handle {
    requests: SendRequest<Bytes>,
    /// Each stream has a clone.
    lease: Arc<()>,
    /// Whether the connection takes no new streams.
    is_retired: Arc<AtomicBool>,
    /// Whether the connection was opened for an earlier stream.
    is_reused: bool,
}

impl Connection {
    /// Performs the handshake of HTTP/2, and waits for the settings of the server.
    pub(super) async fn open(stream: Transport, limits: Limits) -> io::Result<Self> {
        let mut builder = Builder::new();
        builder
            .enable_push(false)
            .initial_window_size(STREAM_WINDOW)
            // The server decides how many streams it allows.
            .initial_connection_window_size(connection_window(u32::MAX, STREAM_WINDOW))
            .max_header_list_size(limits.head_bytes.try_into().unwrap_or(u32::MAX))
            .max_send_buffer_size(SEND_BUFFER);
        let (requests, connection) = builder.handshake(stream).await.map_err(io_error)?;
        let (lease, is_retired) = (Arc::new(()), Arc::new(AtomicBool::new(false)));
        let (ready, is_ready) = oneshot::channel();
        let driving = drive(connection, Arc::downgrade(&lease), Arc::clone(&is_retired), ready);
        let driver = tokio::spawn(driving).abort_handle();
        let connection =
            Self { handle: Handle { requests, lease, is_retired, is_reused: false }, driver };
        match is_ready.await {
            Ok(()) => Ok(connection),
            Err(_) => Err(io::Error::new(
                io::ErrorKind::ConnectionAborted,
                "the connection ended before the settings of HTTP/2 arrived; the server may not speak HTTP/2",
            )),
        }
    }

    /// Returns whether the server supports extended CONNECT (RFC8441-3-2).
    pub(super) fn supports_websocket(&self) -> bool {
        self.handle.requests.is_extended_connect_protocol_enabled()
    }

    pub(super) fn takes_streams(&self) -> bool {
        !self.driver.is_finished() && !self.handle.is_retired.load(Ordering::SeqCst)
    }

    /// Returns whether the server allows more streams.
    pub(super) fn has_room(&self) -> bool {
        self.streams() < self.handle.requests.current_max_send_streams()
    }

    pub(super) fn streams(&self) -> usize {
        Arc::strong_count(&self.handle.lease) - 1
    }

    /// Returns a handle for the next stream.
    pub(super) fn handle(&mut self) -> Handle {
        let handle = self.handle.clone();
        self.handle.is_reused = true;
        handle
    }
}

impl Handle {
    pub(super) fn requests(&self) -> SendRequest<Bytes> {
        self.requests.clone()
    }

    /// Returns the limit that the server has set for the streams of the connection.
    pub(super) fn max_streams(&self) -> Option<usize> {
        Some(self.requests.current_max_send_streams()).filter(|&streams| streams != usize::MAX)
    }

    /// Returns whether the connection was opened for an earlier stream. It may have ended since, before this end could
    /// know it.
    pub(super) fn is_reused(&self) -> bool {
        self.is_reused
    }

    pub(super) fn lease(&self) -> Arc<dyn Any + Send + Sync> {
        Arc::clone(&self.lease) as _
    }

    /// Opens later streams in another connection. Those of this connection continue.
    pub(super) fn retire(&self) {
        self.is_retired.store(true, Ordering::SeqCst);
    }
}

/// Does the I/O of a connection. `ready` receives a value once the settings of the server have arrived.
async fn drive(
    mut connection: h2::client::Connection<Transport>,
    lease: Weak<()>,
    is_retired: Arc<AtomicBool>,
    ready: oneshot::Sender<()>,
) {
    let Some(mut pings) = connection.ping_pong() else { return };
    // A server sends its settings before anything else, so they have arrived when it answers.
    let mut is_waiting = pings.send_ping(Ping::opaque()).is_ok();
    let (mut ready, mut was_idle) = (Some(ready), false);
    let mut ticks = interval_at(Instant::now() + KEEPALIVE, KEEPALIVE);
    loop {
        tokio::select! {
            biased;
            pong = poll_fn(|cx| pings.poll_pong(cx)), if is_waiting => {
                is_waiting = false;
                if let (Ok(_), Some(ready)) = (pong, ready.take()) {
                    ready.send(()).ok();
                }
            }
            _ = ticks.tick() => {
                if is_waiting {
                    return tracing::debug!("HTTP/2 connection failed: a PING was not answered");
                }
                let is_idle = || lease.strong_count() <= 1;
                if was_idle && is_idle() {
                    // A new stream may have found the connection before it was retired.
                    let was_retired = is_retired.swap(true, Ordering::SeqCst);
                    if is_idle() {
                        return;
                    }
                    is_retired.store(was_retired, Ordering::SeqCst);
                }
                was_idle = is_idle();
                is_waiting = pings.send_ping(Ping::opaque()).is_ok();
            }
            ended = &mut connection => return tracing::debug!(?ended, "HTTP/2 connection ended"),
        }
    }
}
