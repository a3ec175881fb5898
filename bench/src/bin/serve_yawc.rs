use std::io;

use fullduplex_bench::loops::serve_upgrade;
use fullduplex_bench::server::{Http, Mode, Room, deflate_level, room, run, serve_each};
use futures_util::{SinkExt, StreamExt};
use hyper::Request;
use hyper::body::Incoming;
use tokio::select;
use yawc::{CompressionLevel, Frame, OpCode, Options, Result, UpgradeFut, WebSocket};

fn main() -> io::Result<()> {
    let upgrade =
        |request: &mut Request<Incoming>| WebSocket::upgrade_with_options(request, options());
    match Mode::of_this() {
        Mode::Echo | Mode::Deflate => {
            run(serve_each(|stream| serve_upgrade(stream, Http::One, upgrade, echo)))
        }
        Mode::Broadcast => {
            let room = room();
            run(serve_each(move |stream| {
                let room = room.clone();
                serve_upgrade(stream, Http::One, upgrade, move |upgraded| {
                    chat(upgraded, room.clone())
                })
            }))
        }
    }
}

async fn echo(upgraded: UpgradeFut) -> Result<()> {
    let mut socket = upgraded.await?;
    while let Some(frame) = socket.next().await {
        if let OpCode::Text | OpCode::Binary = frame.opcode() {
            socket.send(frame).await?;
        }
    }
    Ok(())
}

async fn chat(upgraded: UpgradeFut, room: Room<Frame>) -> Result<()> {
    let mut socket = upgraded.await?;
    let mut messages = room.subscribe();
    loop {
        select! {
            frame = socket.next() => match frame {
                Some(frame) if matches!(frame.opcode(), OpCode::Text | OpCode::Binary) => {
                    room.send(frame).ok();
                }
                Some(_) => {}
                None => return Ok(()),
            },
            Ok(frame) = messages.recv() => socket.send(frame).await?,
        }
    }
}

/// By default text is not validated, although RFC 6455 requires it, and 1 MiB is too large.
fn options() -> Options {
    let options = Options::default().with_utf8().with_max_payload_read(2 << 20);
    match Mode::of_this() {
        Mode::Deflate => match deflate_level() {
            Some(level) => options
                .with_balanced_compression()
                .with_compression_level(CompressionLevel::new(level.into())),
            None => options.with_balanced_compression(),
        },
        Mode::Echo | Mode::Broadcast => options,
    }
}
