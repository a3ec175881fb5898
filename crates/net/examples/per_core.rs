//! Echoes messages in one thread for each core, and counts the messages of each thread without a lock.
//!
//! `cargo run --example per_core [ADDRESS]`
#![allow(clippy::print_stdout, reason = "the server prints its address")]

use std::cell::Cell;
use std::error::Error;

use fullduplex_net::{Request, Server, ServerOptions};

thread_local! {
    static MESSAGES: Cell<u64> = const { Cell::new(0) };
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::io::Result<()> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8080".to_owned());
    let server = Server::bind(&address, ServerOptions::default()).await?;
    println!("listening at ws://{}/", server.local_addr()?);
    server.serve_per_core(echo).await
}

async fn echo(request: Request) -> Result<(), Box<dyn Error + Send + Sync>> {
    let mut socket = request.accept().await?;
    while let Some(message) = socket.recv().await? {
        MESSAGES.set(MESSAGES.get() + 1);
        socket
            .send(format!("{}: {}", MESSAGES.get(), message.to_text().unwrap_or_default()))
            .await?;
    }
    Ok(())
}
