//! Sends lines of stdin and prints received messages, in two tasks, and pings every 20 seconds.
//!
//! `cargo run --example ping_timer URL`
#![allow(clippy::print_stdout, reason = "received messages are printed")]

use std::error::Error;
use std::time::Duration;

use fullduplex_net::proto::Timeouts;
use fullduplex_net::{ConnectOptions, connect};
use tokio::io::{AsyncBufReadExt, BufReader, stdin};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let url = std::env::args().nth(1).ok_or("usage: ping_timer URL")?;
    let mut timeouts = Timeouts::default();
    timeouts.ping = Some(Duration::from_secs(20));
    let (mut socket, _) = connect(url, &ConnectOptions::new().timeouts(timeouts)).await?;

    let sender = socket.sender();
    tokio::spawn(async move {
        let mut lines = BufReader::new(stdin()).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            sender.send(line).await?;
        }
        sender.close(None);
        Ok::<_, Box<dyn Error + Send + Sync>>(())
    });
    while let Some(message) = socket.recv().await? {
        println!("{}", message.to_text()?);
    }
    Ok(())
}
