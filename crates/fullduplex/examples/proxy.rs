//! Connects through an HTTP or SOCKS5 proxy:
//! `cargo run --example proxy ws://127.0.0.1:9001/ http://user:password@127.0.0.1:3128`
#![allow(clippy::print_stdout, reason = "an example shows what happens")]

use std::error::Error;

use fullduplex::{Event, Proxies, Proxy, WebSocket};
use futures_util::StreamExt;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let url = arguments.next().ok_or("usage: proxy URL [PROXY]")?;
    let answer = run(&url, arguments.next().as_deref()).await?;
    println!("received {answer}");
    Ok(())
}

/// Greets an echo server. Returns its answer.
pub(crate) async fn run(url: &str, proxy: Option<&str>) -> Result<String, Box<dyn Error>> {
    let proxies = match proxy {
        Some(url) => Proxy::parse(url)?.into(),
        None => Proxies::from_env()?, // HTTPS_PROXY, ALL_PROXY, NO_PROXY, …
    };
    let socket = WebSocket::builder(url).proxy(proxies).open()?;
    let mut events = socket.events();
    while let Some(event) = events.next().await {
        match event {
            Event::Open => socket.send("hello")?,
            Event::Message(message) => return Ok(message.data.as_text().unwrap_or("").to_owned()),
            Event::Error | Event::Close(_) => break,
        }
    }
    Err(socket.failure().map_or_else(|| "closed".to_owned(), |it| it.to_string()).into())
}
