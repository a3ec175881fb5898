//! Connects to a server, greets it, shows the answer, and closes.

use wasm_bindgen::JsCast;
use wasm_bindgen::prelude::Closure;
use web_sys::{CloseEvent, MessageEvent, WebSocket, console};

fn main() {
    let socket = match WebSocket::new("ws://127.0.0.1:9001/") {
        Ok(socket) => socket,
        Err(error) => return console::log_1(&error),
    };
    let opened = socket.clone();
    let onopen = Closure::<dyn FnMut()>::new(move || drop(opened.send_with_str("hello")));
    socket.set_onopen(Some(onopen.into_js_value().unchecked_ref()));
    let receiving = socket.clone();
    let onmessage = Closure::<dyn FnMut(MessageEvent)>::new(move |message: MessageEvent| {
        console::log_1(&message.data().as_string().unwrap_or_default().into());
        drop(receiving.close());
    });
    socket.set_onmessage(Some(onmessage.into_js_value().unchecked_ref()));
    let onclose = Closure::<dyn FnMut(CloseEvent)>::new(move |close: CloseEvent| {
        console::log_1(&close.code().into());
    });
    socket.set_onclose(Some(onclose.into_js_value().unchecked_ref()));
}
