use tokio::time::Instant;

/// What a [`ReconnectingWebSocket`](super::ReconnectingWebSocket) is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReconnectState {
    /// An attempt is under way.
    Connecting {
        /// Its number since a connection has stood: 0 for the first of all.
        retry: u32,
    },
    /// There is a connection.
    Open,
    /// It waits until the next attempt; `reconnect()` does not.
    Waiting {
        /// The number of that attempt, from 1, since a connection has stood.
        retry: u32,
        /// When it will be.
        until: Instant,
    },
    /// It was told to close, and the server has still to answer.
    Closing,
    /// It tries no more, unless it is told to reconnect.
    Stopped,
}
