//! fullduplex: `Connection`, driven as `fullduplex-net` drives it, without a clock.

use std::io::{IoSlice, Write};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use fullduplex_net::{HandlerResult, Socket, UpgradedOptions};
use fullduplex_proto::{Connection, Limits, Message, Received};

use crate::case::Role;
use crate::wire::{Wire, run};

/// The number of slices that `fullduplex-net` writes at once.
const SLICES: usize = 16;

/// The maximum number of bytes that `fullduplex-net` reads at once, and the minimum free space in
/// the buffer before a read.
const READ_MAX: usize = 64 << 10;
const READ_MIN: usize = 16 << 10;

/// Receives `count` messages. Returns the total length of their payloads.
pub(crate) fn receive(role: Role, mut wire: Wire, count: usize) -> usize {
    let mut connection = connection(role);
    let mut input = BytesMut::with_capacity(READ_MAX);
    let (mut received, mut bytes) = (0, 0);
    while received < count {
        match connection.handle_input(&mut input).expect("the frames are correct") {
            Some(Received::Message(message)) => {
                received += 1;
                bytes += message.len();
            }
            Some(event) => panic!("{event:?} is not a message"),
            None => {
                input.reserve(connection.bytes_needed(&input).clamp(READ_MIN, READ_MAX));
                wire.read_behind(&mut input);
            }
        }
    }
    bytes
}

/// Sends the payload `count` times, flushing each message to the wire. Returns the number of bytes
/// written.
pub(crate) fn send(role: Role, mut wire: Wire, payload: &Bytes, count: usize) -> usize {
    let mut connection = connection(role);
    for _ in 0..count {
        connection.send(Message::Binary(payload.clone())).expect("it is open");
        while !connection.is_flushed() {
            let mut slices = [IoSlice::new(&[]); SLICES];
            let filled = connection.poll_output(&mut slices);
            let written = wire.write_vectored(&slices[..filled]).expect("the wire takes all");
            connection.handle_written(written);
        }
    }
    wire.written()
}

/// Runs the loop of the README with the driver that a `Server` uses. Returns the total length of the
/// payloads.
pub(crate) fn echo(wire: Wire) -> usize {
    let socket =
        Socket::from_upgraded(wire, fullduplex_proto::Role::Server, UpgradedOptions::default());
    let mut bytes = 0;
    let echo = socket.drive(async |mut socket| {
        while let Ok(Some(message)) = socket.recv().await {
            bytes += message.len();
            socket.send(message).await?;
        }
        HandlerResult::Ok(())
    });
    run(echo).expect("the wire takes all");
    bytes
}

fn connection(role: Role) -> Connection {
    let (limits, close) = (Limits::default(), Duration::from_secs(10));
    match role {
        Role::Client => Connection::client(limits, close, Box::new(rand::random::<[u8; 4]>)),
        Role::Server => Connection::server(limits, close),
    }
}
