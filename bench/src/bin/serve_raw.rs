//! Echoes bytes on tokio, to measure what a connection costs without a protocol.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;

use bytes::{Bytes, BytesMut};
use fullduplex_bench::server::{Mode, RAW_BUFFER, Room, room, run, serve_each};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::select;

thread_local! {
    /// One buffer for all connections, because there is one thread.
    static BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; RAW_BUFFER]);
}

/// The longest message to all, and the longest request.
const LONGEST: usize = 1024;

fn main() -> io::Result<()> {
    match Mode::of_this() {
        Mode::Echo | Mode::Deflate => run(serve_each(echo)),
        Mode::Broadcast => {
            let room = room();
            run(serve_each(move |stream| chat(stream, room.clone())))
        }
    }
}

async fn echo(mut stream: TcpStream) -> io::Result<()> {
    loop {
        // `readable()` would allocate a waiter.
        poll_fn(|cx| stream.poll_read_ready(cx)).await?;
        match BUFFER.with_borrow_mut(|buffer| echo_once(&stream, buffer)) {
            Ok(None) => return Ok(()),
            Ok(Some(rest)) => stream.write_all(&rest).await?,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
}

/// Reads once and writes once. Returns the data that could not be written, or `None` at the end of
/// the stream.
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

async fn chat(mut stream: TcpStream, room: Room<Bytes>) -> io::Result<()> {
    let mut bytes = BytesMut::with_capacity(LONGEST);
    // Reads the request, which is not sent to the others.
    stream.read_buf(&mut bytes).await?;
    stream.write_all_buf(&mut bytes).await?;
    let mut messages = room.subscribe();
    loop {
        bytes.reserve(LONGEST);
        select! {
            count = stream.read_buf(&mut bytes) => match count? {
                0 => return Ok(()),
                _ => room.send(bytes.split().freeze()).map_err(io::Error::other)?,
            },
            message = messages.recv() => {
                stream.write_all(&message.map_err(io::Error::other)?).await?;
                0
            }
        };
    }
}
