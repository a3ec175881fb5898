use std::io;

use fullduplex_bench::loops;
use fullduplex_bench::server::{Mode, Room, room, run, serve_each};
use tokio::net::TcpStream;
use tokio_websockets::{Error, Message, ServerBuilder};

fn main() -> io::Result<()> {
    match Mode::of_this() {
        Mode::Echo | Mode::Deflate => run(serve_each(echo)),
        Mode::Broadcast => {
            let room = room();
            run(serve_each(move |stream| chat(stream, room.clone())))
        }
    }
}

async fn echo(stream: TcpStream) -> Result<(), Error> {
    let (_request, socket) = ServerBuilder::new().accept(stream).await?;
    loops::echo(socket, is_data).await
}

async fn chat(stream: TcpStream, room: Room<Message>) -> Result<(), Error> {
    let (_request, socket) = ServerBuilder::new().accept(stream).await?;
    loops::chat(socket, room, is_data).await
}

fn is_data(message: &Message) -> bool {
    message.is_text() || message.is_binary()
}
