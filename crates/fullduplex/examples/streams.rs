//! Sends and receives a lot of data at the same time, at the pace of the network:
//! `cargo run --example streams ws://127.0.0.1:9001/`
#![allow(clippy::print_stdout, reason = "an example shows what happens")]

use fullduplex::{Error, Event, WebSocket};
use futures_util::{StreamExt, future::ready};

const COUNT: usize = 10_000;

#[tokio::main]
async fn main() -> Result<(), Error> {
    let bytes = run(&std::env::args().nth(1).expect("usage: streams URL")).await?;
    println!("received {bytes} bytes");
    Ok(())
}

/// Sends messages to an echo server. Returns how many bytes came back.
pub(crate) async fn run(url: &str) -> Result<usize, Error> {
    let socket = WebSocket::new(url, ())?;
    let mut events = socket.events();
    assert_eq!(events.next().await, Some(Event::Open), "{:?}", socket.failure());
    let send = async {
        for _ in 0..COUNT {
            socket.buffered_below(1 << 20).await; // at most 1 MiB waits for the network
            socket.send(vec![0; 1000])?;
        }
        Ok(())
    };
    let lengths = events.filter_map(|event| {
        ready(match event {
            Event::Message(message) => Some(message.data.as_bytes().len()),
            _ => None,
        })
    });
    let receive = lengths.take(COUNT).fold(0, |sum, length| ready(sum + length));
    let (sent, received) = tokio::join!(send, receive);
    sent.map(|()| received)
}
