use std::time::Duration;

/// The state of a [`ReconnectingWebSocket`](super::ReconnectingWebSocket), in detail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReconnectState {
    /// An attempt is in progress.
    Connecting {
        /// The number of attempts since the waits were reset. The first attempt has number 0.
        retry: u32,
    },
    /// The connection is open.
    Open,
    /// The socket waits for the next attempt. `reconnect()` ends the wait.
    Waiting {
        /// The number of the next attempt. It is at least 1.
        retry: u32,
        /// The time until the next attempt.
        retry_in: Duration,
    },
    /// The closing handshake is in progress.
    Closing,
    /// The socket has ended. `reconnect()` starts it again.
    Stopped,
}
