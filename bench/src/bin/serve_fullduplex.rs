use std::error::Error;
use std::io;

use fullduplex_bench::server::{is_to_deflate, run, serve_each};
use fullduplex_net::proto::Deflate;
use fullduplex_net::{AcceptOptions, accept};
use tokio::net::TcpStream;

fn main() -> io::Result<()> {
    run(serve_each(echo))
}

async fn echo(stream: TcpStream) -> Result<(), Box<dyn Error + Send + Sync>> {
    let mut options = AcceptOptions::default();
    options.deflate = is_to_deflate().then(Deflate::default);
    let mut socket = accept(stream, &options).await?;
    while let Some(message) = socket.recv().await? {
        socket.send(message).await?;
    }
    Ok(())
}
