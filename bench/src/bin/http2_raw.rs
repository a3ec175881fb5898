//! Echoes the bytes of each stream of HTTP/2 on hyper, to measure what a stream costs without a protocol.

use std::convert::Infallible;
use std::io;

use fullduplex_bench::loops::serve_upgrade;
use fullduplex_bench::server::{Http, RAW_BUFFER, run, serve_each};
use http_body_util::Empty;
use hyper::body::{Bytes, Incoming};
use hyper::upgrade::{OnUpgrade, on};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

fn main() -> io::Result<()> {
    run(serve_each(|stream| serve_upgrade(stream, Http::Two, accept, echo)))
}

/// Answers with the status 200.
fn accept(
    request: &mut Request<Incoming>,
) -> Result<(Response<Empty<Bytes>>, OnUpgrade), Infallible> {
    Ok((Response::new(Empty::new()), on(request)))
}

async fn echo(upgraded: OnUpgrade) -> io::Result<()> {
    let mut stream = TokioIo::new(upgraded.await.map_err(io::Error::other)?);
    let mut buffer = vec![0; RAW_BUFFER];
    loop {
        match stream.read(&mut buffer).await? {
            0 => return Ok(()),
            count => stream.write_all(&buffer[..count]).await?,
        }
    }
}
