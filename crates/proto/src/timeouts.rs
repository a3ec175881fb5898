use std::time::Duration;

/// How long one end waits for its peer.
///
/// **Zero means "not set"**: a zero `ping`, `message` or `idle` is off, as `None` is, and a zero `close`
/// or `pong` is the default. So no value ends a connection at once or floods the peer with Pings.
///
/// Connections may share one value: see [`Connection::with_timeouts`](crate::Connection::with_timeouts).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Timeouts {
    /// How long a closing connection lasts at most after its Close frame is written, whatever the peer
    /// sends. Before that, how long the transport may accept no bytes. Default: 10 seconds.
    pub close: Duration,
    /// How long after the last Pong the next Ping is sent; `None` sends no Pings. At least
    /// [`Timeouts::PING_MIN`]. Default: 20 seconds.
    pub ping: Option<Duration>,
    /// How long the Pong may take after the Ping is written. Before that, how long the transport may
    /// accept no bytes. Then the connection is lost. Default: 20 seconds.
    pub pong: Duration,
    /// How long a message may take from the header of its first frame to its last byte; `None` sets no
    /// limit. It also limits how long a large frame may delay the Pong. Default: 5 minutes.
    pub message: Option<Duration>,
    /// How long a connection may stay without a message in either direction. Then it is closed with
    /// 1001. Default: `None`, which sets no limit.
    pub idle: Option<Duration>,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            close: CLOSE,
            ping: Some(Duration::from_secs(20)),
            pong: PONG,
            message: Some(Duration::from_secs(300)),
            idle: None,
        }
    }
}

impl Timeouts {
    /// The shortest interval between Pings. A shorter one is raised to it.
    pub const PING_MIN: Duration = Duration::from_millis(100);

    /// Returns timeouts with which an open connection may stay silent without limit.
    pub(crate) fn for_close(close: Duration) -> Self {
        Self { close, ping: None, message: None, ..Self::default() }
    }

    /// Returns the close timeout in force. It is never zero.
    pub fn close(&self) -> Duration {
        if self.close.is_zero() { CLOSE } else { self.close }
    }

    pub(crate) fn pong(&self) -> Duration {
        if self.pong.is_zero() { PONG } else { self.pong }
    }

    pub(crate) fn ping(&self) -> Option<Duration> {
        set(self.ping).map(|interval| interval.max(Self::PING_MIN))
    }

    pub(crate) fn message(&self) -> Option<Duration> {
        set(self.message)
    }

    pub(crate) fn idle(&self) -> Option<Duration> {
        set(self.idle)
    }
}

const CLOSE: Duration = Duration::from_secs(10);
const PONG: Duration = Duration::from_secs(20);

/// Zero means "not set".
fn set(limit: Option<Duration>) -> Option<Duration> {
    limit.filter(|limit| !limit.is_zero())
}
