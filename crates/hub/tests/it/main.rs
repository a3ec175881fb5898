//! Tests of the public interface of hubs.
#![allow(clippy::unwrap_used, reason = "a test may end by a panic")]

mod local;
mod needs_chromium_and_nats_server;
mod needs_nats_server;
mod needs_redis_server;
mod promises;
mod strangers;
mod support;
