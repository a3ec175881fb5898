//! Tests of the engine through its public interface, without I/O.

#[path = "../support/mod.rs"]
mod support;

mod chunking;
mod closing;
mod deflate;
mod deflater;
mod ending;
mod extended_connect;
mod handshake;
mod handshake_deflate;
mod handshake_request;
mod handshake_response;
mod head;
mod hosts;
mod limits;
mod memory;
mod observer;
mod ordinary;
mod origins;
mod parked;
mod parts;
mod receiving;
mod sending;
mod timeouts;
mod values;
mod violations;
