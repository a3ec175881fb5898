//! Sends the uptime to all clients once a second. Each message is built and compressed once for all
//! of them.
//!
//! `cargo run --example ticker [ADDRESS]`
#![allow(clippy::print_stdout, reason = "the server prints its address")]

use std::time::Duration;

use fullduplex_net::proto::{DeflateConfig, Prepared};
use fullduplex_net::{Group, HandlerResult, OverflowPolicy, Request, Server, ServerOptions};
use tokio::time::{Instant, interval};

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8080".to_owned());
    let mut options = ServerOptions::default();
    options.accept.deflate = Some(DeflateConfig::default());
    let server = Server::bind(&address, options).await?;
    println!("listening at ws://{}/", server.local_addr()?);
    let listeners = Group::new();
    tokio::spawn(tick(listeners.clone()));
    server.serve(move |request| listen(request, listeners.clone())).await;
    Ok(())
}

async fn tick(listeners: Group) {
    let start = Instant::now();
    let mut seconds = interval(Duration::from_secs(1));
    loop {
        let now = seconds.tick().await;
        let message = Prepared::new(format!("{} s", (now - start).as_secs()));
        // A slow client misses this message and gets the next one.
        listeners.send(&message, OverflowPolicy::Drop);
    }
}

async fn listen(request: Request, listeners: Group) -> HandlerResult {
    let mut socket = request.accept().await?;
    let _member = listeners.join(socket.sender());
    while socket.recv().await?.is_some() {}
    Ok(())
}
