//! Servers and clients of several WebSocket libraries side by side, and what is needed to measure
//! them.
//!
//! Each `serve_*` is one server: the loop that its library's documentation shows, on the same
//! runtime as all others; each `talk_*` is a client. The programs that measure know none of the
//! libraries: they speak to a server through `client`, and see of it what the system tells about its
//! `process`. Only `engine` holds the libraries themselves, without servers.

pub mod client;
pub mod content;
pub mod loops;
pub mod peer;
/// Processes, as the lab looks at them: a file that needs nothing else of it.
#[path = "../../crates/lab/src/process.rs"]
pub mod process;
pub mod server;
pub mod talk;
