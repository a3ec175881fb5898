//! Awaits events instead of handling them: `cargo run --example awaiting ws://127.0.0.1:9001/`
#![allow(clippy::print_stdout, reason = "an example shows what happens")]

use fullduplex::{Error, Event, WebSocket};
use futures_util::StreamExt;

#[tokio::main]
async fn main() -> Result<(), Error> {
    run(&std::env::args().nth(1).expect("usage: awaiting URL")).await?;
    Ok(())
}

/// Greets an echo server. Returns the code with which the socket closed.
pub(crate) async fn run(url: &str) -> Result<u16, Error> {
    let socket = WebSocket::new(url, ())?;
    let mut events = socket.events();
    while let Some(event) = events.next().await {
        match event {
            Event::Open => socket.send("hello")?,
            Event::Message(message) => {
                println!("received {:?}", message.data);
                socket.close();
            }
            Event::Error => println!("failed: {:?}", socket.failure()),
            Event::Close(close) => println!("closed with code {}", close.code),
        }
    }
    Ok(socket.closed().await.code)
}
