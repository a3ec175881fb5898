//! The server that `scale` measures: it echoes, sends pings, and shuts down on request.

use std::io;
use std::net::Ipv4Addr;
use std::time::Duration;

use fullduplex_bench::scale::{PING, SHUTDOWN};
use fullduplex_bench::server::{announce, run};
use fullduplex_net::{Connections, HandlerResult, Request, Server, ServerOptions};

/// The time limit for the shutdown.
const GRACE: Duration = Duration::from_secs(60);

fn main() -> io::Result<()> {
    run(async move {
        let mut options = ServerOptions::default();
        options.accept.timeouts.ping = Some(PING);
        // All clients connect from this machine.
        options.connections_per_address = usize::MAX;
        let server = Server::bind((Ipv4Addr::LOCALHOST, 0), options).await?;
        announce(server.local_addr()?);
        let connections = server.connections().clone();
        server.serve(move |request| echo(request, connections.clone())).await;
        Ok(())
    })
}

async fn echo(request: Request, connections: Connections) -> HandlerResult {
    let mut socket = request.accept().await?;
    while let Some(message) = socket.recv().await? {
        if message.as_text() == Some(SHUTDOWN) {
            let connections = connections.clone();
            tokio::spawn(async move { connections.shutdown(GRACE).await });
        } else {
            socket.send(message).await?;
        }
    }
    Ok(())
}
