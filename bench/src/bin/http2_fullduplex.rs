use std::io;
use std::net::Ipv4Addr;
use std::time::Duration;

use fullduplex_bench::server::{announce, run};
use fullduplex_net::{HandlerResult, Http2Options, Request, Server, ServerOptions};

fn main() -> io::Result<()> {
    run(async {
        let mut options = ServerOptions::default();
        // As in `serve_fullduplex`.
        options.accept.timeouts.ping = Some(Duration::from_secs(3600));
        options.connections_per_address = usize::MAX;
        // The window of hyper, on which the other servers are based.
        let http2 = Http2Options::default().stream_window(1 << 20);
        let server = Server::bind((Ipv4Addr::LOCALHOST, 0), options).await?.with_http2(http2);
        announce(server.local_addr()?);
        server.serve(echo).await;
        Ok(())
    })
}

async fn echo(request: Request) -> HandlerResult {
    let mut socket = request.accept().await?;
    while let Some(message) = socket.recv().await? {
        socket.send(message).await?;
    }
    Ok(())
}
