//! Echoes every message over TLS, until Ctrl-C.
//!
//! `cargo run --example tls CERTIFICATES.pem KEY.pem [ADDRESS]`
#![allow(clippy::print_stdout, reason = "the server prints its address")]

use std::error::Error;
use std::time::Duration;

use fullduplex_net::{HandlerResult, Identity, Request, Server, ServerOptions};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(certificates), Some(key)) = (arguments.next(), arguments.next()) else {
        return Err("usage: tls CERTIFICATES.pem KEY.pem [ADDRESS]".into());
    };
    let identity = Identity::from_pem(&std::fs::read(certificates)?, &std::fs::read(key)?)?;
    let address = arguments.next().unwrap_or_else(|| "127.0.0.1:8443".to_owned());
    let server = Server::bind(&address, ServerOptions::default()).await?.with_tls(&identity);
    println!("listening at wss://{}/", server.local_addr()?);

    let connections = server.connections().clone();
    let serving = tokio::spawn(server.serve(echo));
    tokio::signal::ctrl_c().await?;
    let drained = connections.shutdown(Duration::from_secs(10)).await;
    serving.await?;
    println!("closed {} connections, cut {} off", drained.closed, drained.cut);
    println!("{:#?}", connections.counts());
    Ok(())
}

async fn echo(request: Request) -> HandlerResult {
    let mut socket = request.accept().await?;
    while let Some(message) = socket.recv().await? {
        socket.send(message).await?;
    }
    Ok(())
}
