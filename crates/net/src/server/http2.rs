use std::any::Any;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use fullduplex_proto::Limits;
use h2::RecvStream;
use h2::server::{Builder, SendResponse};
use http::{Request, Response};
use tokio::time::{Instant, interval_at};

use crate::http2::error::io_error;
use crate::http2::stream::Http2Stream;
use crate::http2::{ALPN, SEND_BUFFER, connection_window, heads};
use crate::pool::{Phase, Pool};
use crate::server::Server;
use crate::server::deadline::Deadline;
use crate::server::exchange::Respond;
use crate::server::multiplexed::{Multiplexed, OnRequest};
use crate::transport::Transport;

/// The first bytes of a client (RFC 9113 section 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// How many streams a client may reset before the server has looked at them. A client that resets more ends
/// its connection ("rapid reset").
const UNSEEN_RESETS: usize = 20;

/// How many streams the server resets because of errors of the client, before it ends the connection.
const ERROR_RESETS: usize = 256;

/// The shortest idle timeout. With zero, a connection would have no time for its first request.
const SHORTEST_IDLE_TIMEOUT: Duration = Duration::from_secs(1);

/// Options of a [`Server`] for HTTP/2.
///
/// ```
/// use fullduplex_net::Http2Options;
///
/// let options = Http2Options::default().streams(1000);
/// // Or, by struct update:
/// let options = Http2Options { streams: 1000, ..Default::default() };
/// ```
#[derive(Debug, Clone)]
#[must_use]
pub struct Http2Options {
    /// The maximum number of streams in one connection. Further requests are refused with `REFUSED_STREAM`.
    /// Default: 256.
    pub streams: u32,
    /// How many bytes of a stream the client may send before the handler receives them. A larger window makes
    /// one socket faster over a long distance. The windows of all streams can be full at the same time, and
    /// these bytes do not count for [`ServerOptions::memory_bytes`](crate::ServerOptions::memory_bytes).
    /// Default: 64 KiB.
    pub stream_window: u32,
    /// How long a connection without streams stays open, and up to twice as long. At least 1 s. Default: 60 s.
    pub idle_timeout: Duration,
}

impl Default for Http2Options {
    fn default() -> Self {
        Self { streams: 256, stream_window: 64 << 10, idle_timeout: Duration::from_secs(60) }
    }
}

impl Http2Options {
    /// Sets the maximum number of streams in one connection.
    pub fn streams(mut self, streams: u32) -> Self {
        self.streams = streams;
        self
    }

    /// Sets how many bytes of a stream the client may send before the handler receives them. At most
    /// 2,147,483,647.
    pub fn stream_window(mut self, bytes: u32) -> Self {
        self.stream_window = bytes;
        self
    }

    /// Sets how long a connection without streams stays open.
    pub fn idle_timeout(mut self, timeout: Duration) -> Self {
        self.idle_timeout = timeout;
        self
    }
}

impl Server {
    /// Also speaks HTTP/2, on the same port: with TLS to clients that ask for it by ALPN, and without TLS to
    /// clients that begin with HTTP/2. Other clients use HTTP/1.1.
    ///
    /// Each WebSocket is a stream of its connection (RFC 8441), and handlers see no difference. The
    /// [fallback](Self::with_fallback) answers over HTTP/2 too. A connection counts as one for
    /// [`ServerOptions::connections`](crate::ServerOptions::connections), and each of its requests as another.
    ///
    /// [`Connections::shutdown`](crate::Connections::shutdown) also sends `GOAWAY` to each connection.
    pub fn with_http2(self, options: Http2Options) -> Self {
        let limits = self.connections().shared_options().options.limits;
        self.with_multiplexed(Arc::new(Http2 { options, limits }))
    }
}

#[derive(Debug)]
struct Http2 {
    options: Http2Options,
    limits: Limits,
}

impl Http2 {
    /// Returns the settings of a connection. `h2` itself bounds floods of CONTINUATION, SETTINGS and PING
    /// frames, and of small DATA frames.
    fn builder(&self) -> Builder {
        let Http2Options { streams, stream_window, .. } = self.options;
        let stream_window = stream_window.min(connection_window(1, u32::MAX));
        let mut builder = Builder::new();
        builder
            .enable_connect_protocol() // RFC8441-3-1
            .max_concurrent_streams(streams)
            .initial_window_size(stream_window)
            .initial_connection_window_size(connection_window(streams, stream_window))
            .max_header_list_size(self.limits.head_bytes.try_into().unwrap_or(u32::MAX))
            .max_send_buffer_size(SEND_BUFFER)
            .max_pending_accept_reset_streams(UNSEEN_RESETS)
            .max_local_error_reset_streams(Some(ERROR_RESETS));
        builder
    }
}

impl Multiplexed for Http2 {
    fn alpn(&self) -> &'static [u8] {
        ALPN
    }

    fn preface(&self) -> &'static [u8] {
        PREFACE
    }

    fn serve(
        &self,
        transport: Transport,
        deadline: Deadline,
        pool: Arc<Pool>,
        on_request: OnRequest,
    ) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        let idle_timeout = self.options.idle_timeout.max(SHORTEST_IDLE_TIMEOUT);
        Box::pin(serve(self.builder(), transport, deadline, idle_timeout, pool, on_request))
    }
}

async fn serve(
    builder: Builder,
    transport: Transport,
    deadline: Deadline,
    idle_timeout: Duration,
    pool: Arc<Pool>,
    on_request: OnRequest,
) {
    let mut connection = match deadline.limit(builder.handshake(transport)).await {
        Ok(Ok(connection)) => connection,
        Ok(Err(error)) => return report(&error),
        Err(error) => return tracing::debug!(%error, "HTTP/2 connection ended"),
    };
    // Each stream has a clone.
    let lease: Arc<dyn Any + Send + Sync> = Arc::new(());
    let mut idle = interval_at(Instant::now() + idle_timeout, idle_timeout);
    let mut was_used = false;
    let mut is_closing = false;
    let mut closing = pin!(pool.until(Phase::Closing));
    let mut cut = pin!(pool.until(Phase::Cut));
    loop {
        tokio::select! {
            // A client that always sends requests must not keep the connection from ending.
            biased;
            () = &mut cut => return,
            () = &mut closing, if !is_closing => {
                connection.graceful_shutdown();
                is_closing = true;
            }
            _ = idle.tick() => {
                if std::mem::take(&mut was_used) || Arc::strong_count(&lease) > 1 {
                    continue;
                }
                if is_closing {
                    return tracing::debug!("HTTP/2 connection cut off: it had no streams");
                }
                connection.graceful_shutdown();
                is_closing = true;
            }
            accepted = connection.accept() => match accepted {
                Some(Ok((request, respond))) => {
                    was_used = true;
                    let (request, respond) = take_apart(request, respond, Arc::clone(&lease));
                    on_request(request, respond);
                }
                Some(Err(error)) => return report(&error),
                None => return,
            },
        }
    }
}

/// Separates a request from the stream in which its response is sent.
fn take_apart(
    request: Request<RecvStream>,
    mut respond: SendResponse<bytes::Bytes>,
    lease: Arc<dyn Any + Send + Sync>,
) -> (Request<()>, Box<Respond<Transport>>) {
    let (parts, recv) = heads::received(request).into_parts();
    let respond = move |response: Response<()>| {
        let send = respond.send_response(heads::response(response), false).map_err(io_error)?;
        Ok(Transport::other(Http2Stream::new(recv, send, lease)))
    };
    (Request::from_parts(parts, ()), Box::new(respond))
}

fn report(error: &h2::Error) {
    tracing::debug!(%error, "HTTP/2 connection ended");
}
