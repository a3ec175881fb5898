//! Prints a feed over `wss` from a server with a private CA, and reconnects with increasing delays.
//!
//! `cargo run --example feed URL CA.pem`
#![allow(clippy::print_stdout, reason = "the feed is printed")]

use std::error::Error;
use std::time::Duration;

use fullduplex_net::{ConnectOptions, Tls, connect};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let (url, ca) =
        std::env::args().nth(1).zip(std::env::args().nth(2)).ok_or("feed URL CA.pem")?;
    let options = ConnectOptions::new().tls(Tls::with_extra_roots(&std::fs::read(ca)?)?);
    let mut pause = Duration::from_secs(1);
    loop {
        match connect(&url, &options).await {
            Ok((mut socket, _)) => {
                pause = Duration::from_secs(1);
                while let Ok(Some(message)) = socket.recv().await {
                    println!("{}", message.to_text()?);
                }
            }
            Err(error) => println!("{error}"),
        }
        tokio::time::sleep(pause).await;
        pause = (2 * pause).min(Duration::from_secs(60));
    }
}
