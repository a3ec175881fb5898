use std::io;

use fullduplex_bench::server::{Mode, Room, room, run, serve_each};
use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio::select;
use tokio_tungstenite::accept_async;
use tokio_tungstenite::tungstenite::{Error, Message};

fn main() -> io::Result<()> {
    match Mode::of_this() {
        Mode::Broadcast => {
            let room = room();
            run(serve_each(move |stream| chat(stream, room.clone())))
        }
        Mode::Echo | Mode::Deflate => run(serve_each(echo)),
    }
}

async fn echo(stream: TcpStream) -> Result<(), Error> {
    let mut socket = accept_async(stream).await?;
    while let Some(message) = socket.next().await {
        let message = message?;
        if message.is_text() || message.is_binary() {
            socket.send(message).await?;
        }
    }
    Ok(())
}

async fn chat(stream: TcpStream, room: Room<Message>) -> Result<(), Error> {
    let mut socket = accept_async(stream).await?;
    let mut messages = room.subscribe();
    loop {
        select! {
            message = socket.next() => match message.transpose()? {
                Some(message) if message.is_text() || message.is_binary() => {
                    room.send(message).ok();
                }
                Some(_) => {}
                None => return Ok(()),
            },
            Ok(message) = messages.recv() => socket.send(message).await?,
        }
    }
}
