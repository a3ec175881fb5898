//! An axum route that only upgrades requests with the right token.
//!
//! `cargo run --example axum_token --features axum [ADDRESS]`
#![allow(clippy::print_stdout, reason = "the server prints its address")]

use std::error::Error;

use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use axum::routing::{Router, any};
use fullduplex_net::proto::handshake::Rejection;
use fullduplex_net::{Connections, ServerOptions, Socket, WebSocketUpgrade};

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8080".to_owned());
    let connections = Connections::new(ServerOptions::default());
    let router = Router::new().route("/", any(open)).with_state(connections);
    let listener = tokio::net::TcpListener::bind(&address).await?;
    println!("listening at ws://{}/", listener.local_addr()?);
    axum::serve(listener, router).await
}

async fn open(headers: HeaderMap, upgrade: WebSocketUpgrade) -> Response {
    if headers.get(AUTHORIZATION).is_none_or(|token| token != "Bearer secret") {
        return upgrade.reject(&Rejection::new(StatusCode::UNAUTHORIZED, "wrong token"));
    }
    upgrade.on_upgrade(echo)
}

async fn echo(mut socket: Socket) -> Result<(), Box<dyn Error + Send + Sync>> {
    while let Some(message) = socket.recv().await? {
        socket.send(message).await?;
    }
    Ok(())
}
