//! Servers and clients of several WebSocket libraries, and what is needed to measure them.
//!
//! Each `serve_*` is a server. It runs the loop from the documentation of its library. All libraries use the
//! same runtime. Each `http2_*` is a server over HTTP/2. Each `talk_*` is a client. The measuring programs do
//! not use the libraries. They exchange messages with a server through `client` or `http2`, and read its
//! resource usage from the system through `process`. Only `engine` contains the libraries themselves, without
//! servers.

pub mod client;
pub mod content;
pub mod files;
pub mod http2;
pub mod loops;
pub mod peer;
/// Process measurements. Shared with the lab as a file.
#[path = "../../crates/lab/src/process.rs"]
pub mod process;
pub mod scale;
pub mod server;
pub mod talk;
