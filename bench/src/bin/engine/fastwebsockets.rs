//! `fastwebsockets`: its `FragmentCollector`, which returns whole messages.

use bytes::Bytes;
use fastwebsockets::{FragmentCollector, Frame, Payload, Role as Theirs, WebSocket};
use futures_util::FutureExt;

use crate::case::Role;
use crate::wire::{Wire, run};

/// Receives `count` messages. Returns the total length of their payloads.
pub(crate) fn receive(role: Role, wire: Wire, count: usize) -> usize {
    let mut socket = socket(role, wire);
    let mut bytes = 0;
    for _ in 0..count {
        let read = socket.read_frame().now_or_never().expect("the wire is never empty");
        bytes += read.expect("the frames are correct").payload.len();
    }
    bytes
}

/// Sends the payload `count` times, flushing each message to the wire. Returns the number of bytes
/// written.
pub(crate) fn send(role: Role, wire: Wire, payload: &Bytes, count: usize) -> usize {
    let mut socket = socket(role, wire);
    for _ in 0..count {
        let frame = Frame::binary(Payload::Borrowed(payload));
        let written = socket.write_frame(frame).now_or_never().expect("the wire is never full");
        written.expect("the wire takes all");
    }
    socket.into_inner().written()
}

/// Sends back each message. Returns the total length of the payloads.
pub(crate) fn echo(wire: Wire) -> usize {
    let mut socket = socket(Role::Server, wire);
    run(async {
        let mut bytes = 0;
        while let Ok(frame) = socket.read_frame().await {
            bytes += frame.payload.len();
            socket.write_frame(frame).await.expect("the wire takes all");
        }
        bytes
    })
}

fn socket(role: Role, wire: Wire) -> FragmentCollector<Wire> {
    let role = match role {
        Role::Client => Theirs::Client,
        Role::Server => Theirs::Server,
    };
    FragmentCollector::new(WebSocket::after_handshake(wire, role))
}
