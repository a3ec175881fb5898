use std::io;
use std::net::Ipv4Addr;
use std::time::Duration;

use fullduplex_bench::server::{announce, run};
use fullduplex_net::{HandlerResult, Request, Server, ServerOptions};

fn main() -> io::Result<()> {
    run(async {
        let mut options = ServerOptions::default();
        // As in `serve_fullduplex`.
        options.accept.timeouts.ping = Some(Duration::from_secs(3600));
        options.connections_per_address = usize::MAX;
        let server = Server::bind((Ipv4Addr::LOCALHOST, 0), options).await?;
        announce(server.local_addr()?);
        server.serve_per_core(echo).await
    })
}

async fn echo(request: Request) -> HandlerResult {
    let mut socket = request.accept().await?;
    while let Some(message) = socket.recv().await? {
        socket.send(message).await?;
    }
    Ok(())
}
