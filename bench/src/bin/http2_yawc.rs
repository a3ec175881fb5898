//! An echo server over HTTP/2, for `speed` and `interop`.

use std::io;

use fullduplex_bench::loops::serve_upgrade;
use fullduplex_bench::server::{Http, Mode, run, serve_each};
use futures_util::{SinkExt, StreamExt};
use hyper::Request;
use hyper::body::Incoming;
use yawc::{OpCode, Options, Result, UpgradeFut, WebSocket};

fn main() -> io::Result<()> {
    let upgrade =
        |request: &mut Request<Incoming>| WebSocket::upgrade_with_options(request, options());
    run(serve_each(move |stream| serve_upgrade(stream, Http::Two, upgrade, echo)))
}

async fn echo(upgraded: UpgradeFut) -> Result<()> {
    let mut socket = upgraded.await?;
    while let Some(frame) = socket.next().await {
        if let OpCode::Text | OpCode::Binary = frame.opcode() {
            socket.send(frame).await?;
        }
    }
    Ok(())
}

fn options() -> Options {
    let options = Options::default().with_utf8().with_max_payload_read(16 << 20);
    match Mode::of_this() {
        Mode::Deflate => options.with_balanced_compression(),
        Mode::Echo | Mode::Broadcast => options,
    }
}
