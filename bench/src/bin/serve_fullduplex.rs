use std::io;
use std::net::Ipv4Addr;
use std::time::Duration;

use fullduplex_bench::server::{Mode, announce, deflate_level, run};
use fullduplex_net::proto::{CompressionLevel, DeflateConfig};
use fullduplex_net::{Group, HandlerResult, OverflowPolicy, Request, Server, ServerOptions};

fn main() -> io::Result<()> {
    let mode = Mode::of_this();
    run(async move {
        let mut options = ServerOptions::default();
        options.accept.deflate = (mode == Mode::Deflate).then(deflate);
        // The benchmark clients do not answer pings, but the timers are set anyway.
        options.accept.timeouts.ping = Some(Duration::from_secs(3600));
        // All clients connect from this machine.
        options.connections_per_address = usize::MAX;
        let server = Server::bind((Ipv4Addr::LOCALHOST, 0), options).await?;
        announce(server.local_addr()?);
        if mode == Mode::Broadcast {
            let room = Group::new();
            server.serve(move |request| chat(request, room.clone())).await;
        } else {
            server.serve(echo).await;
        }
        Ok(())
    })
}

fn deflate() -> DeflateConfig {
    let mut deflate = DeflateConfig::default();
    if let Some(level) = deflate_level() {
        deflate.level = CompressionLevel::new(level).expect("1 to 9");
    }
    deflate
}

async fn echo(request: Request) -> HandlerResult {
    let mut socket = request.accept().await?;
    while let Some(message) = socket.recv().await? {
        socket.send(message).await?;
    }
    Ok(())
}

async fn chat(request: Request, room: Group) -> HandlerResult {
    let mut socket = request.accept().await?;
    let _member = room.join(socket.sender());
    while let Some(message) = socket.recv().await? {
        room.send(message, OverflowPolicy::Close);
    }
    Ok(())
}
