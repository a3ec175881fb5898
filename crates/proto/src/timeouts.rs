use std::time::Duration;

/// How long one end waits for its peer. Nothing here limits a connection that is open and alive, but
/// for [`Timeouts::idle`].
///
/// Connections may share one value: see [`Connection::with_timeouts`](crate::Connection::with_timeouts).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Timeouts {
    /// How long a closing connection waits for a peer that takes no byte and sends no end.
    /// Default: 10 seconds.
    pub close: Duration,
    /// How long after the last Ping was answered the next one is sent; `None` sends none.
    /// Default: 20 seconds.
    pub ping: Option<Duration>,
    /// How long the Pong may take once the Ping is written, and how long the transport may take no byte
    /// of what leads up to the Ping: then the connection is lost. Default: 20 seconds.
    pub pong: Duration,
    /// How long a message may take from its first frame's header to its last byte, which also bounds
    /// how long a large frame may hold the Pong up; `None` sets no limit. Default: 5 minutes.
    pub message: Option<Duration>,
    /// How long a connection may stay without a message either way until it is closed with 1001.
    /// Default: `None`, for ever.
    pub idle: Option<Duration>,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            close: Duration::from_secs(10),
            ping: Some(Duration::from_secs(20)),
            pong: Duration::from_secs(20),
            message: Some(Duration::from_secs(300)),
            idle: None,
        }
    }
}

impl Timeouts {
    /// An open connection may be silent for ever.
    pub(crate) fn for_close(close: Duration) -> Self {
        Self { close, ping: None, message: None, ..Self::default() }
    }
}
