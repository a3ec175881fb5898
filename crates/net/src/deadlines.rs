use std::time::Duration;

use tokio::time::Instant;

/// How long a peer may take. Every phase of a connection that waits for a peer has a deadline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Deadlines {
    /// A client's time to resolve the host and to connect by TCP, for all its addresses together, which
    /// are tried one after the other. Default: 20 s.
    pub connect: Duration,
    /// From the TCP connection to the end of the opening handshake, TLS included, however the bytes
    /// trickle. Default: 10 s.
    pub handshake: Duration,
    /// How long a closing connection waits for a peer that neither takes a byte nor ends it. The time
    /// that handlers and readers of this end take counts too. Default: 10 s.
    pub close: Duration,
}

/// The instant so long from now, or one that nobody lives to see.
pub(crate) fn after(duration: Duration) -> Instant {
    const THIRTY_YEARS: Duration = Duration::from_secs(30 * 365 * 86_400);
    let now = Instant::now();
    now.checked_add(duration).unwrap_or_else(|| now + THIRTY_YEARS)
}

impl Default for Deadlines {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(20),
            handshake: Duration::from_secs(10),
            close: Duration::from_secs(10),
        }
    }
}
