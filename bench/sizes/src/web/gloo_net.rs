//! Connects to a server, greets it, shows the answer, and closes.

use futures_util::{SinkExt, StreamExt};
use gloo_net::websocket::Message;
use gloo_net::websocket::futures::WebSocket;
use web_sys::console;

fn main() {
    wasm_bindgen_futures::spawn_local(async {
        let mut socket = match WebSocket::open("ws://127.0.0.1:9001/") {
            Ok(socket) => socket,
            Err(error) => return console::log_1(&error.to_string().into()),
        };
        if let Err(error) = socket.send(Message::Text("hello".into())).await {
            return console::log_1(&error.to_string().into());
        }
        if let Some(Ok(Message::Text(text))) = socket.next().await {
            console::log_1(&text.into());
        }
        drop(socket.close(None, None));
    });
}
