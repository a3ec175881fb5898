//! Serves a chat room: every message goes to all members. A member that reads too slowly is
//! disconnected.
//!
//! `cargo run --example chat [ADDRESS]`
#![allow(clippy::print_stdout, reason = "the server prints its address")]

use fullduplex_net::{Group, HandlerResult, OverflowPolicy, Request, Server, ServerOptions};

/// How many bytes may wait for a slow member.
const BACKLOG: usize = 256 << 10;

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8080".to_owned());
    let server = Server::bind(&address, ServerOptions::default()).await?;
    println!("listening at ws://{}/", server.local_addr()?);
    let room = Group::new();
    server.serve(move |request| chat(request, room.clone())).await;
    Ok(())
}

async fn chat(request: Request, room: Group) -> HandlerResult {
    let name = request.uri().path().trim_start_matches('/').to_owned();
    let mut socket = request.accept().await?;
    let _member = room.join(socket.sender().with_capacity(BACKLOG));
    room.send(format!("{name} joined; {} connected", room.len()), OverflowPolicy::Close);
    while let Some(message) = socket.recv().await? {
        let text = String::from_utf8_lossy(message.payload());
        room.send(format!("{name}: {text}"), OverflowPolicy::Close);
    }
    Ok(())
}
