use std::io;

use fullduplex_bench::server::{Mode, Room, deflate_level, room, run, serve_each};
use tokio::net::TcpStream;
use tokio::select;
use wtx::collection::Vector;
use wtx::web_socket::compression::{CompressionLevel, DeflateConfig, Flate2};
use wtx::web_socket::{Compression, Frame, OpCode, WebSocketAcceptor, WebSocketPayloadOrigin};

fn main() -> io::Result<()> {
    match Mode::of_this() {
        Mode::Echo => run(serve_each(|stream| echo(stream, ()))),
        Mode::Deflate => run(serve_each(|stream| echo(stream, deflate()))),
        Mode::Broadcast => {
            let room = room();
            run(serve_each(move |stream| chat(stream, room.clone())))
        }
    }
}

fn deflate() -> Flate2 {
    let mut deflate = DeflateConfig::default();
    if let Some(level) = deflate_level() {
        deflate.compression_level = CompressionLevel::try_from(level).expect("1 to 9");
    }
    deflate.into()
}

async fn echo<C: Compression<false>>(stream: TcpStream, compression: C) -> wtx::Result<()> {
    let mut socket = WebSocketAcceptor::default().compression(compression).accept(stream).await?;
    let (mut common, mut reader, mut writer) = socket.split_mut();
    let mut buffer = Vector::new();
    loop {
        buffer.clear();
        let origin = WebSocketPayloadOrigin::Adaptive;
        let mut frame = reader.read_frame(&mut buffer, &mut common, origin).await?;
        match frame.op_code() {
            OpCode::Close => return Ok(()),
            OpCode::Text | OpCode::Binary => writer.write_frame(&mut common, &mut frame).await?,
            _ => {}
        }
    }
}

/// Cancelling a waiting read loses nothing if no data has arrived. Here only one client sends, and
/// it waits for the answer.
async fn chat(stream: TcpStream, room: Room<Vec<u8>>) -> wtx::Result<()> {
    let mut socket = WebSocketAcceptor::default().accept(stream).await?;
    let mut messages = room.subscribe();
    let mut buffer = Vector::new();
    loop {
        buffer.clear();
        let origin = WebSocketPayloadOrigin::Adaptive;
        select! {
            frame = socket.read_frame(&mut buffer, origin) => {
                let frame = frame?;
                match frame.op_code() {
                    OpCode::Close => return Ok(()),
                    OpCode::Text | OpCode::Binary => {
                        room.send(frame.payload().to_vec()).ok();
                    }
                    _ => {}
                }
            }
            Ok(mut message) = messages.recv() => {
                let mut frame = Frame::new_fin(OpCode::Binary, message.as_mut_slice());
                socket.write_frame(&mut frame).await?;
            }
        }
    }
}
