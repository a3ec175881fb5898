//! Selects the backend of the objects: `native/`, or `browser/` for WebAssembly.

pub(crate) mod builder;

#[cfg(not(target_family = "wasm"))]
pub use crate::native::failure::Failure;
#[cfg(not(target_family = "wasm"))]
pub(crate) use crate::native::{
    clock::{Instant, sleep_until},
    random::random,
    runtime::spawn,
    socket::{SocketState, SocketTarget},
};

#[cfg(target_family = "wasm")]
pub use crate::browser::failure::Failure;
#[cfg(target_family = "wasm")]
pub(crate) use crate::browser::{
    clock::{Instant, sleep_until},
    random::random,
    runtime::spawn,
    socket::{SocketState, SocketTarget},
};
