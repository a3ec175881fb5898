//! Connects to a server whose certificate is signed by a private certificate authority:
//! `cargo run --example private_ca wss://localhost:8443/ ca.pem`
#![allow(clippy::print_stdout, reason = "an example shows what happens")]

use std::error::Error;

use fullduplex::{Tls, WebSocket};

fn main() -> Result<(), Box<dyn Error>> {
    let [url, ca] = [1, 2].map(|index| std::env::args().nth(index));
    let ca = std::fs::read(ca.ok_or("usage: private_ca URL CA.pem")?)?;
    println!("received {:?}", run(&url.ok_or("usage: private_ca URL CA.pem")?, &ca)?);
    Ok(())
}

/// Greets an echo server. Returns its answer.
pub(crate) fn run(url: &str, ca: &[u8]) -> Result<Option<String>, Box<dyn Error>> {
    // `only_roots` trusts only these roots; `extra_roots` trusts the platform's roots as well.
    let tls = Tls::builder().only_roots(ca).build()?;
    let (answered, answer) = std::sync::mpsc::channel();
    let socket = WebSocket::builder(url).tls(tls).open_with(|socket| {
        socket.set_onopen(|socket, _| socket.send("hello").expect("the socket is open"));
        socket.set_onmessage(move |socket, message| {
            answered.send(message.data.as_text().map(str::to_owned)).ok();
            socket.close();
        });
    })?;
    socket.wait();
    match socket.failure() {
        Some(failure) => Err(failure.to_string().into()),
        None => Ok(answer.recv()?),
    }
}
