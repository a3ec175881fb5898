//! Sends bytes back as they come: what a connection costs on this runtime without any protocol.

use std::future::poll_fn;
use std::io;

use fullduplex_bench::server::{run, serve_each};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

fn main() -> io::Result<()> {
    run(serve_each(echo))
}

async fn echo(mut stream: TcpStream) -> io::Result<()> {
    loop {
        // No buffer while nothing comes; and `readable()` would need room for a waiter.
        poll_fn(|cx| stream.poll_read_ready(cx)).await?;
        let mut bytes = Vec::with_capacity(16 << 10);
        match stream.try_read_buf(&mut bytes) {
            Ok(0) => return Ok(()),
            Ok(_) => stream.write_all(&bytes).await?,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
}
