use std::future::poll_fn;
use std::time::Duration;

use crate::native::clock::Instant;
use crate::object::websocket::WebSocket;
use crate::reconnect::ReconnectingWebSocket;
use crate::rules::error::Error;

/// Methods for Pings. They do not exist in a browser, where an application cannot send Pings.
impl WebSocket {
    /// Sends a Ping and returns its number, to compare with [`pings_answered`](Self::pings_answered).
    /// Returns `None` if the socket is closing or closed: no Pong will arrive.
    ///
    /// # Errors
    /// Returns [`Error::Connecting`] before the `open` event.
    pub fn ping(&self) -> Result<Option<u64>, Error> {
        self.target().ping()
    }

    /// Returns the number of the latest [`ping`](Self::ping) that was answered, or 0. All Pings before it
    /// count as answered. A stream of [`events`](Self::events) is woken when the number grows.
    pub fn pings_answered(&self) -> u64 {
        self.target().claimed().object.pings_answered()
    }

    /// Sends a Ping and waits for the Pong. Returns the time between them, or `None` if the socket closes
    /// first.
    ///
    /// # Errors
    /// Returns [`Error::Connecting`] before the `open` event.
    ///
    /// # Cancel safety
    /// Cancel safe: the Ping is sent anyway.
    pub async fn round_trip(&self) -> Result<Option<Duration>, Error> {
        let start = Instant::now();
        let Some(number) = self.ping()? else { return Ok(None) };
        let is_answered = poll_fn(|cx| {
            self.poll_state(cx, |state| {
                let is_answered = state.object.pings_answered() >= number;
                (is_answered || state.closed.is_some()).then_some(is_answered)
            })
        });
        Ok(is_answered.await.then(|| start.elapsed()))
    }
}

/// Methods for Pings. They do not exist in a browser, where an application cannot send Pings.
impl ReconnectingWebSocket {
    /// Sends a Ping and waits for the Pong. Returns the time between them, or `None` if no
    /// connection is open or it ends first.
    ///
    /// # Cancel safety
    /// Cancel safe: the Ping is sent anyway.
    pub async fn round_trip(&self) -> Option<Duration> {
        let connection = self.connection()?;
        // A connection that is not open yet returns an error.
        connection.round_trip().await.ok().flatten()
    }
}
