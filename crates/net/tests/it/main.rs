//! Tests of the client, the server and the socket, in one binary, so that the linker runs only once.
#![allow(clippy::unwrap_used, reason = "a test may end by a panic")]

mod accept;
mod client;
mod deadlines;
mod group;
mod halves;
mod http2;
mod observer;
mod parts;
mod server;
mod socket;
mod streams;
mod typical;
mod upgrades;
