//! Sends bytes back as they come: what a connection costs on this runtime without any protocol.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;

use fullduplex_bench::server::{RAW_BUFFER, run, serve_each};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

thread_local! {
    /// One buffer for all connections: there is one thread.
    static BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; RAW_BUFFER]);
}

fn main() -> io::Result<()> {
    run(serve_each(echo))
}

async fn echo(mut stream: TcpStream) -> io::Result<()> {
    loop {
        // `readable()` would need room for a waiter.
        poll_fn(|cx| stream.poll_read_ready(cx)).await?;
        match BUFFER.with_borrow_mut(|buffer| echo_once(&stream, buffer)) {
            Ok(None) => return Ok(()),
            Ok(Some(rest)) => stream.write_all(&rest).await?,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
}

/// Reads once, writes once, and returns what could not be written; or `None` at the end of the stream.
fn echo_once(stream: &TcpStream, buffer: &mut [u8]) -> io::Result<Option<Vec<u8>>> {
    let count = stream.try_read(buffer)?;
    if count == 0 {
        return Ok(None);
    }
    let written = match stream.try_write(&buffer[..count]) {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
        outcome => outcome?,
    };
    Ok(Some(buffer[written..count].to_vec()))
}
