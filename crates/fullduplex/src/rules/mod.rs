//! The rules of the objects as pure state machines, for bindings to other languages.
//!
//! This module depends on the protocol crate only: it has no network, no clock and no runtime.

pub(crate) mod error;
pub(crate) mod event;
pub mod machine;
pub(crate) mod ports;
pub mod stream_machine;

/// The high-water mark of writing: 64 KiB. While fewer bytes than this wait for the network, the driver
/// hands over messages, and a write of a `WebSocketStream` resolves.
pub const WRITE_HIGH_WATER: u64 = 64 << 10;
