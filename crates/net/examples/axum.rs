//! Serves a WebSocket and other routes in an axum server. Ctrl-C shuts it down gracefully.
//!
//! `cargo run --example axum --features axum [ADDRESS]`
#![allow(clippy::print_stdout, reason = "the server prints its address")]

use std::net::SocketAddr;
use std::time::Duration;

use axum::extract::{ConnectInfo, State};
use axum::response::Response;
use axum::routing::{Router, any, get};
use fullduplex_net::{
    Connections, HandlerResult, ServerOptions, Socket, UpgradeRejection, WebSocketUpgrade,
};

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8080".to_owned());
    let connections = Connections::new(ServerOptions::default());
    let router = Router::new()
        .route("/", any(open))
        .route("/count", get(count))
        .with_state(connections.clone())
        .into_make_service_with_connect_info::<SocketAddr>();
    let listener = tokio::net::TcpListener::bind(&address).await?;
    println!("listening at ws://{}/", listener.local_addr()?);
    let end = async move {
        tokio::signal::ctrl_c().await.ok();
        let drained = connections.shutdown(Duration::from_secs(10)).await;
        println!("closed {} connections, cut {} off", drained.closed, drained.cut);
    };
    axum::serve(listener, router).with_graceful_shutdown(end).await
}

async fn count(State(connections): State<Connections>) -> String {
    format!("{} connected\n", connections.counts().open)
}

async fn open(
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    upgrade: WebSocketUpgrade,
) -> Result<Response, UpgradeRejection> {
    Ok(upgrade.with_address(peer.ip())?.on_upgrade(echo))
}

async fn echo(mut socket: Socket) -> HandlerResult {
    while let Some(message) = socket.recv().await? {
        socket.send(message).await?;
    }
    Ok(())
}
