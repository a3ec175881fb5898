//! Servers and clients of several WebSocket libraries, and what is needed to measure them.
//!
//! Each `serve_*` is a server: the loop from its library's documentation, on the same runtime for
//! all. Each `talk_*` is a client. The measuring programs do not use the libraries: they talk to a
//! server through `client`, and read its resource usage from the system through `process`. Only
//! `engine` contains the libraries themselves, without servers.

pub mod client;
pub mod content;
pub mod loops;
pub mod peer;
/// Process measurements. Shared with the lab as a file.
#[path = "../../crates/lab/src/process.rs"]
pub mod process;
pub mod server;
pub mod talk;
