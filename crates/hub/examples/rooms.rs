//! A chat server with a room for each path, on one machine or on many, and a page for it. A message is its position, a
//! space and a text; a note has no position. A client that comes back to `/room?after=POSITION` gets what it missed.
//!
//! `cargo run -p fullduplex-hub --example rooms [ADDRESS [BROKER]]`, such as `127.0.0.1:8080 nats://127.0.0.1:4222`
#![allow(clippy::print_stdout, reason = "a server says where it listens")]

use std::error::Error;

use fullduplex_hub::{Event, History, Hub, HubOptions, SubscribeOptions, Topic};
use fullduplex_net::proto::handshake::OriginPolicy;
use fullduplex_net::{HandlerResult, Request, Server, ServerOptions};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let address = arguments.next().unwrap_or_else(|| "127.0.0.1:8080".to_owned());
    let options = HubOptions::default().with_history("/", History::default());
    let hub = match arguments.next() {
        None => Hub::local_with(options),
        Some(url) if url.starts_with("redis") => Hub::redis(&url, options).await?,
        Some(url) => Hub::nats(&url, options).await?,
    };
    let mut options = ServerOptions::default();
    options.accept.origins = OriginPolicy::Any; // the page of one node connects to all
    let page = |_: &_| Some(http::Response::new(include_str!("rooms.html").into()));
    let server = Server::bind(address, options).await?.with_fallback(page);
    println!("listening at http://{}/", server.local_addr()?);
    server.serve(move |request| chat(request, hub.clone())).await;
    Ok(())
}

async fn chat(request: Request, hub: Hub) -> HandlerResult {
    let room = Topic::new(request.uri().path())?;
    let after = request.uri().query().and_then(|query| query.strip_prefix("after="));
    let after = after.filter(|after| !after.is_empty()).map(str::parse).transpose()?;
    let mut subscription = hub.subscribe(&room, SubscribeOptions::default().recover(after)).await?;
    let mut socket = request.accept().await?;
    let _member = hub.join(&room, "somebody").await?; // until the handler returns
    socket.send(format!(" {} are here", hub.members(&room).await?.len())).await?;
    loop {
        tokio::select! {
            message = socket.recv() => match message? {
                Some(message) => { hub.publish(&room, message).await?; }
                None => return Ok(()),
            },
            event = subscription.recv() => match event {
                Some(Event::Message(it)) => {
                    let position = it.position.map(|it| it.to_string()).unwrap_or_default();
                    let text = String::from_utf8_lossy(it.message.message().payload()).into_owned();
                    socket.send(format!("{position} {text}")).await?;
                }
                Some(Event::Gap(_)) => socket.send(" some messages are missing").await?,
                None => return Ok(()),
            },
        }
    }
}
