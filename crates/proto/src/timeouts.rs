use std::time::Duration;

/// The timeouts of a connection: how long one end waits for its peer.
///
/// **Zero means "not set"**: a zero `ping`, `message` or `idle` is off, like `None`. A zero `close` or `pong`
/// selects the default. So no value ends a connection immediately or sends Pings continuously.
///
/// Connections may share one value: see [`Connection::with_timeouts`](crate::Connection::with_timeouts).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Timeouts {
    /// The maximum time from the writing of our Close frame to the end of the connection. Input from the peer
    /// does not extend it. Until the Close is written, it is the maximum time in which the transport accepts
    /// no bytes. Default: 10 seconds.
    pub close: Duration,
    /// The time from the last Pong to the next Ping. `None` sends no Pings. The minimum is
    /// [`Timeouts::PING_MIN`]. Default: 20 seconds.
    pub ping: Option<Duration>,
    /// The maximum time from the writing of a Ping to its Pong. Until the Ping is written, it is the maximum
    /// time in which the transport accepts no bytes. After this time, the connection is lost. Default: 20
    /// seconds.
    pub pong: Duration,
    /// The maximum time from the header of a message's first frame to its last byte. `None` sets no limit. It
    /// also limits how long a large frame may delay the Pong. Default: 5 minutes.
    pub message: Option<Duration>,
    /// The maximum time without a message in either direction. After this time, the connection is closed with
    /// code 1001. Default: `None`, which sets no limit.
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
    /// The shortest interval between Pings. A shorter interval is raised to this value.
    pub const PING_MIN: Duration = Duration::from_millis(100);

    /// Returns timeouts that limit only the closing handshake. An open connection has no time limit.
    pub(crate) fn for_close(close: Duration) -> Self {
        Self { close, ping: None, message: None, ..Self::default() }
    }

    /// Returns the effective close timeout. It is never zero.
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
