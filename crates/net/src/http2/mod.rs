//! HTTP/2 connections, implemented by the `h2` crate: what clients and servers share.

pub(crate) mod error;
pub(crate) mod heads;
mod inbox;
pub(crate) mod stream;

/// The name of HTTP/2 in ALPN.
pub(crate) const ALPN: &[u8] = b"h2";

/// How many bytes each stream may queue in `h2`, besides those of its [`Socket`](crate::Socket).
pub(crate) const SEND_BUFFER: usize = 32 << 10;

/// The largest window of a connection (RFC 9113 section 6.9.1).
const MAX_WINDOW: u32 = (1 << 31) - 1;

/// Returns the window of a connection with `streams` streams. It is the sum of their windows. Otherwise, a
/// few streams that are not read could use up the window of the connection and block all others.
pub(crate) fn connection_window(streams: u32, stream_window: u32) -> u32 {
    streams.saturating_mul(stream_window).clamp(1 << 16, MAX_WINDOW)
}
