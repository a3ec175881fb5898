//! Sends prepared frames and counts the bytes that come back, to measure what a client costs on
//! tokio without a protocol.

use std::cell::RefCell;
use std::io;
use std::net::SocketAddr;

use fullduplex_bench::client::{BINARY, Offer, TEXT, frame, open};
use fullduplex_bench::server::RAW_BUFFER;
use fullduplex_bench::talk::{Client, Connection, Echo, Failure, run};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

thread_local! {
    /// One buffer for all connections, because there is one thread.
    static BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; RAW_BUFFER]);
}

fn main() -> Result<(), Failure> {
    run::<Talk>()
}

struct Talk {
    stream: TcpStream,
    /// The frames of a burst.
    frames: Vec<u8>,
}

const MASK_LEN: usize = 4;

impl Connection for Talk {
    /// One frame.
    type Message = Vec<u8>;

    fn text(content: String) -> Vec<u8> {
        frame(TEXT, content.as_bytes())
    }

    fn binary(content: Vec<u8>) -> Vec<u8> {
        frame(BINARY, &content)
    }

    async fn connect(address: SocketAddr) -> Result<Self, Failure> {
        let stream = open(address, Offer::Nothing)?;
        stream.set_nonblocking(true)?;
        Ok(Self { stream: TcpStream::from_std(stream)?, frames: Vec::new() })
    }
}

impl Client for Talk {
    async fn exchange(
        &mut self,
        frame: &Vec<u8>,
        burst: usize,
        echo: &Echo,
    ) -> Result<(), Failure> {
        if burst == 1 {
            self.stream.write_all(frame).await?;
        } else {
            if self.frames.is_empty() {
                self.frames = frame.repeat(burst);
            }
            self.stream.write_all(&self.frames).await?;
        }
        let mut left = (frame.len() - MASK_LEN) * burst;
        while left > 0 {
            self.stream.readable().await?;
            let count = BUFFER.with_borrow_mut(|buffer| self.read(buffer, left, echo))?;
            left = left.checked_sub(count).ok_or("more was received than sent")?;
        }
        Ok(())
    }
}

impl Talk {
    /// Reads once. If the end of the last reply arrives, compares the part of that reply that is in
    /// the buffer.
    fn read(&self, buffer: &mut [u8], left: usize, echo: &Echo) -> Result<usize, Failure> {
        match self.stream.try_read(buffer) {
            Ok(0) => Err("the connection was closed".into()),
            Ok(count) => {
                let len = echo.content_len();
                if count == left && count >= len {
                    echo.check(&buffer[count - len..count])?;
                }
                Ok(count)
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(0),
            Err(error) => Err(error.into()),
        }
    }
}
