//! Sends frames that were made beforehand, and counts what comes back: what a client costs on this
//! runtime without any protocol.

use std::net::SocketAddr;

use fullduplex_bench::client::{BINARY, Offer, TEXT, frame, open};
use fullduplex_bench::talk::{Client, Echo, Failure, run};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

fn main() -> Result<(), Failure> {
    run::<Talk>()
}

struct Talk {
    stream: TcpStream,
    frames: Vec<u8>,
    buffer: Vec<u8>,
}

const BUFFER: usize = 256 << 10;
const MASK_LEN: usize = 4;

impl Client for Talk {
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
        let stream = TcpStream::from_std(stream)?;
        Ok(Self { stream, frames: Vec::new(), buffer: vec![0; BUFFER] })
    }

    async fn exchange(
        &mut self,
        frame: &Vec<u8>,
        burst: usize,
        echo: &Echo,
    ) -> Result<(), Failure> {
        if self.frames.is_empty() {
            self.frames = frame.repeat(burst);
        }
        self.stream.write_all(&self.frames).await?;
        let reply_len = frame.len() - MASK_LEN;
        let mut left = reply_len * burst;
        while left > 0 {
            let count = self.stream.read(&mut self.buffer).await?;
            left = left.checked_sub(count).ok_or("more came than was sent")?;
            match count {
                0 => return Err("the connection was closed".into()),
                _ if count == reply_len => {
                    echo.check(&self.buffer[reply_len - echo.content_len()..reply_len])?;
                }
                _ => {}
            }
        }
        Ok(())
    }
}
