//! Delivers `NAME text` to the client that connected as `/NAME`. All connections share one map.
//!
//! `cargo run --example shared_state [ADDRESS]`
#![allow(clippy::print_stdout, reason = "the server prints its address")]

use std::collections::HashMap;
use std::error::Error;
use std::sync::{Arc, Mutex};

use fullduplex_net::{Request, Sender, Server, ServerOptions};

type Clients = Arc<Mutex<HashMap<String, Sender>>>;

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8080".to_owned());
    let server = Server::bind(&address, ServerOptions::default()).await?;
    println!("listening at ws://{}/", server.local_addr()?);
    let clients = Clients::default();
    server.serve(move |request| deliver(request, clients.clone())).await;
    Ok(())
}

async fn deliver(request: Request, clients: Clients) -> Result<(), Box<dyn Error + Send + Sync>> {
    let name = request.uri().path().trim_start_matches('/').to_owned();
    let mut socket = request.accept().await?;
    clients.lock().expect("no panic").insert(name.clone(), socket.sender());
    while let Ok(Some(message)) = socket.recv().await {
        let text = message.to_text().unwrap_or_default();
        let (to, text) = text.split_once(' ').unwrap_or((text, ""));
        let receiver = clients.lock().expect("no panic").get(to).cloned();
        let is_sent = receiver.is_some_and(|it| it.try_send(format!("{name}: {text}")).is_ok());
        if !is_sent && socket.send(format!("{to} is not connected")).await.is_err() {
            break;
        }
    }
    clients.lock().expect("no panic").remove(&name);
    Ok(())
}
