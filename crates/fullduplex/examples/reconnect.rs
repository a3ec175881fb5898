//! Reconnects when the connection ends, with a new token each time:
//! `cargo run --example reconnect ws://127.0.0.1:9001/`
#![allow(clippy::print_stdout, reason = "an example shows what happens")]

use fullduplex::{CloseEvent, Error, ReconnectingWebSocket, WebSocket};

fn main() {
    let close = run(std::env::args().nth(1).expect("usage: reconnect URL"));
    println!("ended with code {}", close.code);
}

/// Stays connected to a server until it closes with code 1008.
pub(crate) fn run(url: String) -> CloseEvent {
    let socket = ReconnectingWebSocket::provided_by(move |retry| {
        let url = url.clone();
        async move {
            let token = fetch_token(retry).await?;
            WebSocket::builder(&url).header("Authorization", format!("Bearer {token}"))
        }
    })
    .stop_when(|lost| lost.close.code == 1008)
    .open_with(|socket| {
        socket.set_onopen(|socket| socket.send("subscribe").expect("the outbox has room"));
        socket.set_onmessage(|_, message| println!("received {:?}", message.data));
        socket.set_onlost(|_, lost| println!("reconnects in {:?}", lost.retry_in));
        socket.set_onundelivered(|_, lost| println!("{} messages were not sent", lost.count));
    });
    socket.wait()
}

async fn fetch_token(retry: u32) -> Result<String, Error> {
    Ok(format!("fresh-{retry}"))
}
