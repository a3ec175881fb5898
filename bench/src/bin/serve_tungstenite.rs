use std::io;

use fullduplex_bench::loops;
use fullduplex_bench::server::{Mode, Room, room, run, serve_each};
use tokio::net::TcpStream;
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
    loops::echo(accept_async(stream).await?, is_data).await
}

async fn chat(stream: TcpStream, room: Room<Message>) -> Result<(), Error> {
    loops::chat(accept_async(stream).await?, room, is_data).await
}

fn is_data(message: &Message) -> bool {
    message.is_text() || message.is_binary()
}
