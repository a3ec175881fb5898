//! Connects to a server, greets it, shows the answer, and closes.

use fullduplex::WebSocket;
use web_sys::console;

fn main() {
    let opened = WebSocket::with("ws://127.0.0.1:9001/", (), |socket| {
        socket.set_onopen(|socket, _| drop(socket.send("hello")));
        socket.set_onmessage(|socket, message| {
            console::log_1(&message.data.as_text().unwrap_or_default().into());
            socket.close();
        });
        socket.set_onclose(|_, close| console::log_1(&close.code.into()));
    });
    if let Err(error) = opened {
        console::log_1(&error.to_string().into());
    }
}
