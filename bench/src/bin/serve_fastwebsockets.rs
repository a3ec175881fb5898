use std::io;

use bytes::Bytes;
use fastwebsockets::upgrade::{UpgradeFut, upgrade};
use fastwebsockets::{FragmentCollector, Frame, OpCode, Payload, WebSocketError};
use fullduplex_bench::loops::serve_upgrade;
use fullduplex_bench::server::{Http, Mode, Room, room, run, serve_each};
use tokio::select;

fn main() -> io::Result<()> {
    match Mode::of_this() {
        Mode::Echo | Mode::Deflate => {
            let serve = |stream| serve_upgrade(stream, Http::One, |request| upgrade(request), echo);
            run(serve_each(serve))
        }
        Mode::Broadcast => {
            let room = room();
            run(serve_each(move |stream| {
                let room = room.clone();
                serve_upgrade(
                    stream,
                    Http::One,
                    |request| upgrade(request),
                    move |upgraded| chat(upgraded, room.clone()),
                )
            }))
        }
    }
}

async fn echo(upgraded: UpgradeFut) -> Result<(), WebSocketError> {
    let mut socket = FragmentCollector::new(upgraded.await?);
    loop {
        let frame = socket.read_frame().await?;
        match frame.opcode {
            OpCode::Close => return Ok(()),
            OpCode::Text | OpCode::Binary => socket.write_frame(frame).await?,
            _ => {}
        }
    }
}

/// Cancelling a waiting read loses nothing if no data has arrived. Here only one client sends, and
/// it waits for the answer.
async fn chat(upgraded: UpgradeFut, room: Room<Bytes>) -> Result<(), WebSocketError> {
    let mut socket = FragmentCollector::new(upgraded.await?);
    let mut messages = room.subscribe();
    loop {
        select! {
            frame = socket.read_frame() => {
                let frame = frame?;
                match frame.opcode {
                    OpCode::Close => return Ok(()),
                    OpCode::Text | OpCode::Binary => {
                        room.send(Bytes::copy_from_slice(&frame.payload)).ok();
                    }
                    _ => {}
                }
            }
            Ok(message) = messages.recv() => {
                socket.write_frame(Frame::binary(Payload::Borrowed(&message))).await?;
            }
        }
    }
}
