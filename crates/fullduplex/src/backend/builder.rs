//! The constructors of a backend.

#[cfg(target_family = "wasm")]
pub use crate::browser::builder::Builder;
#[cfg(not(target_family = "wasm"))]
pub use crate::native::builder::Builder;
