//! Opens many sockets, each in a task: `cargo run --example many ws://127.0.0.1:9001/ 100`
#![allow(clippy::print_stdout, reason = "an example shows what happens")]

use std::error::Error;

use fullduplex::{ConnectConcurrency, Event, WebSocket};
use futures_util::StreamExt;
use tokio::task::JoinSet;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let url = arguments.next().ok_or("usage: many URL [COUNT]")?;
    let count = arguments.next().map_or(Ok(100), |count| count.parse())?;
    println!("{} of {count} sockets were answered", run(&url, count).await?);
    Ok(())
}

/// Opens `count` sockets to an echo server. Returns how many were answered.
pub(crate) async fn run(url: &str, count: usize) -> Result<usize, Box<dyn Error>> {
    // By default, the object opens one connection to an address at a time, as a browser does.
    let builder = WebSocket::builder(url).concurrency(ConnectConcurrency::Unlimited);
    let mut tasks = JoinSet::new();
    for number in 0..count {
        let socket = builder.clone().open()?;
        let mut events = socket.events();
        tasks.spawn(async move {
            while let Some(event) = events.next().await {
                match event {
                    Event::Open => socket.send(number.to_string()).expect("the socket is open"),
                    Event::Message(message) => return message.data.as_text().is_some(),
                    Event::Error | Event::Close(_) => {}
                }
            }
            false
        });
    }
    Ok(tasks.join_all().await.into_iter().filter(|answered| *answered).count())
}
