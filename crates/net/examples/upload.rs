//! Uploads a file as one message, and prints the progress.
//!
//! `cargo run --example upload URL FILE`
#![allow(clippy::print_stdout, reason = "the progress is printed")]

use std::error::Error;

use fullduplex_net::proto::{Message, Part};
use fullduplex_net::{ConnectOptions, connect};
use tokio::fs::File;
use tokio::io::AsyncReadExt;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let (url, file) =
        std::env::args().nth(1).zip(std::env::args().nth(2)).ok_or("upload URL FILE")?;
    let (mut socket, _) = connect(url, &ConnectOptions::new().deflate(None)).await?;
    let mut file = File::open(file).await?;
    let total = file.metadata().await?.len();
    let mut sent = 0;
    while sent < total {
        let mut part = vec![0; (total - sent).min(1 << 20) as usize];
        file.read_exact(&mut part).await?;
        sent += part.len() as u64;
        socket.send_part(&Part { content: Message::binary(part), last: sent == total }).await?;
        println!("{} %", 100 * sent / total);
    }
    println!("{:?}", socket.recv().await?);
    socket.close(None).await?;
    Ok(())
}
