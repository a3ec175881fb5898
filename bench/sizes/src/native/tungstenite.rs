//! Connects to a server, greets it, shows the answer, and closes.

use std::error::Error;

use futures_util::{SinkExt, StreamExt};
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::Message;

fn main() -> Result<(), Box<dyn Error>> {
    let url = std::env::args().nth(1).unwrap_or_default();
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
        let (mut socket, _response) = connect_async(&*url).await?;
        socket.send(Message::text("hello")).await?;
        if let Some(message) = socket.next().await {
            println!("{:?}", message?);
        }
        socket.close(None).await?;
        Ok(())
    })
}
