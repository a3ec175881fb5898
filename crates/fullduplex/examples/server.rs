//! Runs a server and a client in one program: `cargo run --example server`
#![allow(clippy::print_stdout, reason = "an example shows what happens")]

use std::error::Error;

use fullduplex::net::{HandlerResult, Request, Server, ServerOptions};
use fullduplex::{Event, WebSocket};
use futures_util::StreamExt;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    println!("received {:?}", run().await?);
    Ok(())
}

/// Returns the server's answer.
pub(crate) async fn run() -> Result<Option<Event>, Box<dyn Error>> {
    let server = Server::bind("127.0.0.1:0", ServerOptions::default()).await?;
    let url = format!("ws://{}/", server.local_addr()?);
    tokio::spawn(server.serve(shout));

    let socket = WebSocket::new(&url, ())?;
    let mut events = socket.events();
    if events.next().await == Some(Event::Open) {
        socket.send("hello")?;
    }
    Ok(events.next().await)
}

async fn shout(request: Request) -> HandlerResult {
    let mut socket = request.accept().await?;
    while let Some(message) = socket.recv().await? {
        socket.send(message.to_text().unwrap_or("?").to_uppercase()).await?;
    }
    Ok(())
}
