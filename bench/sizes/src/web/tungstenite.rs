//! Connects to a server, greets it, shows the answer, and closes.

use futures_util::{SinkExt, StreamExt};
use tokio_tungstenite_wasm::Message;
use web_sys::console;

fn main() {
    wasm_bindgen_futures::spawn_local(async {
        let mut socket = match tokio_tungstenite_wasm::connect("ws://127.0.0.1:9001/").await {
            Ok(socket) => socket,
            Err(error) => return console::log_1(&error.to_string().into()),
        };
        if let Err(error) = socket.send(Message::text("hello")).await {
            return console::log_1(&error.to_string().into());
        }
        if let Some(Ok(Message::Text(text))) = socket.next().await {
            console::log_1(&text.as_str().into());
        }
        drop(socket.close().await);
    });
}
