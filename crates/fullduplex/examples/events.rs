//! Handles events without an async runtime: `cargo run --example events ws://127.0.0.1:9001/`
#![allow(clippy::print_stdout, reason = "an example shows what happens")]

use fullduplex::{Error, WebSocket};

fn main() -> Result<(), Error> {
    run(&std::env::args().nth(1).expect("usage: events URL"))?;
    Ok(())
}

/// Greets an echo server. Returns the code with which the socket closed.
pub(crate) fn run(url: &str) -> Result<u16, Error> {
    // `with` adds all handlers before the first event can fire.
    let socket = WebSocket::with(url, (), |socket| {
        socket.set_onopen(|socket, _| socket.send("hello").expect("the socket is open"));
        socket.set_onmessage(|socket, message| {
            println!("received {:?}", message.data);
            socket.close_with(1000, "done").expect("1000 is a valid code");
        });
        socket.set_onerror(|socket, _| println!("failed: {:?}", socket.failure()));
        socket.set_onclose(|_, close| println!("closed with code {}", close.code));
    })?;
    Ok(socket.wait().code)
}
