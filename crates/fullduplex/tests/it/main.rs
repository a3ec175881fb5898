//! Tests of the WebSocket object over real connections, in one binary to link only once.
#![allow(clippy::unwrap_used, reason = "a test may end by a panic")]

mod bad_frames;
mod bad_handshake;
mod bad_network;
mod bad_proxies;
mod bad_tls;
mod bindings;
mod client_tls;
mod hosts;
mod object;
mod pings;
mod reach;
mod reconnect;
mod requests;
#[cfg(unix)]
mod unix_socket;
