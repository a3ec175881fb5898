use std::io;
use std::net::Ipv4Addr;
use std::time::Duration;

use fullduplex_bench::server::{announce, is_to_deflate, run};
use fullduplex_net::proto::Deflate;
use fullduplex_net::{Outcome, Request, Server, ServerOptions};

fn main() -> io::Result<()> {
    run(async {
        let mut options = ServerOptions::default();
        options.accept.deflate = is_to_deflate().then(Deflate::default);
        // The clients are too simple for pings; the alarms are set nevertheless.
        options.accept.timeouts.ping = Some(Duration::from_secs(3600));
        // All clients come from this machine.
        options.connections_per_address = usize::MAX;
        let server = Server::bind((Ipv4Addr::LOCALHOST, 0), options).await?;
        announce(server.local_addr()?);
        server.serve(echo).await;
        Ok(())
    })
}

async fn echo(request: Request) -> Outcome {
    let mut socket = request.accept().await?;
    while let Some(message) = socket.recv().await? {
        socket.send(message).await?;
    }
    Ok(())
}
