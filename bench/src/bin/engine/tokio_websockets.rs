//! `tokio-websockets`: its `WebSocketStream`, as a stream and as a sink.

use bytes::Bytes;
use futures_util::{FutureExt, SinkExt, StreamExt};
use tokio_websockets::{ClientBuilder, Message, ServerBuilder, WebSocketStream};

use crate::case::Role;
use crate::wire::{Wire, run};

/// Receives `count` messages. Returns the total length of their payloads.
pub(crate) fn receive(role: Role, wire: Wire, count: usize) -> usize {
    let mut socket = socket(role, wire);
    let mut bytes = 0;
    for _ in 0..count {
        let next = socket.next().now_or_never().expect("the wire is never empty");
        let message = next.expect("the wire does not end").expect("the frames are correct");
        bytes += message.as_payload().len();
    }
    bytes
}

/// Sends the payload `count` times, flushing each message to the wire. Returns the number of bytes
/// written.
pub(crate) fn send(role: Role, wire: Wire, payload: &Bytes, count: usize) -> usize {
    let mut socket = socket(role, wire);
    for _ in 0..count {
        let message = Message::binary(payload.clone());
        let sent = socket.send(message).now_or_never().expect("the wire is never full");
        sent.expect("the wire takes all");
    }
    socket.get_ref().written()
}

/// Sends back each message. Returns the total length of the payloads.
pub(crate) fn echo(wire: Wire) -> usize {
    let mut socket = socket(Role::Server, wire);
    run(async {
        let mut bytes = 0;
        while let Some(Ok(message)) = socket.next().await {
            bytes += message.as_payload().len();
            socket.send(message).await.expect("the wire takes all");
        }
        bytes
    })
}

fn socket(role: Role, wire: Wire) -> WebSocketStream<Wire> {
    match role {
        Role::Client => ClientBuilder::new().take_over(wire),
        Role::Server => ServerBuilder::new().serve(wire),
    }
}
