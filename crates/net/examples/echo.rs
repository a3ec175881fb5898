//! Echoes every message.
//!
//! `cargo run --example echo [ADDRESS]`
#![allow(clippy::print_stdout, reason = "the server prints its address")]

use fullduplex_net::{HandlerResult, Request, Server, ServerOptions};

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8080".to_owned());
    let server = Server::bind(&address, ServerOptions::default()).await?;
    println!("listening at ws://{}/", server.local_addr()?);
    server.serve(echo).await;
    Ok(())
}

async fn echo(request: Request) -> HandlerResult {
    let mut socket = request.accept().await?;
    while let Some(message) = socket.recv().await? {
        socket.send(message).await?;
    }
    Ok(())
}
