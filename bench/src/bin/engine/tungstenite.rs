//! `tungstenite`: its `WebSocket` over a stream that never blocks.

use bytes::Bytes;
use tungstenite::Message;
use tungstenite::protocol::{Role as Theirs, WebSocket};

use crate::case::Role;
use crate::wire::Wire;

/// Receives `count` messages. Returns the total length of their payloads.
pub(crate) fn receive(role: Role, wire: Wire, count: usize) -> usize {
    let mut socket = socket(role, wire);
    (0..count).map(|_| socket.read().expect("the frames are correct").len()).sum()
}

/// Sends the payload `count` times, flushing each message to the wire. Returns the number of bytes
/// written.
pub(crate) fn send(role: Role, wire: Wire, payload: &Bytes, count: usize) -> usize {
    let mut socket = socket(role, wire);
    for _ in 0..count {
        socket.send(Message::Binary(payload.clone())).expect("the wire takes all");
    }
    socket.get_ref().written()
}

/// Sends back each message. Returns the total length of the payloads.
pub(crate) fn echo(wire: Wire) -> usize {
    let mut socket = socket(Role::Server, wire);
    let mut bytes = 0;
    while let Ok(message) = socket.read() {
        bytes += message.len();
        socket.send(message).expect("the wire takes all");
    }
    bytes
}

fn socket(role: Role, wire: Wire) -> WebSocket<Wire> {
    let role = match role {
        Role::Client => Theirs::Client,
        Role::Server => Theirs::Server,
    };
    WebSocket::from_raw_socket(wire, role, None)
}
