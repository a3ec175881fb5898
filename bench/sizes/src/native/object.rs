//! Connects to a server, greets it, shows the answer, and closes.

use fullduplex::{Error, WebSocket};

fn main() -> Result<(), Error> {
    let url = std::env::args().nth(1).unwrap_or_default();
    let socket = WebSocket::with(&url, (), |socket| {
        socket.set_onopen(|socket, _| drop(socket.send("hello")));
        socket.set_onmessage(|socket, message| {
            println!("{}", message.data.as_text().unwrap_or_default());
            socket.close();
        });
    })?;
    println!("{}", socket.wait().code);
    Ok(())
}
