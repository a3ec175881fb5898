use std::net::SocketAddr;

use fullduplex_bench::talk::{CLOSED, Connection, Echo, Failure, Socket, run, stream};
use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use yawc::{Frame, Options, WebSocket};

fn main() -> Result<(), Failure> {
    run::<Talk>()
}

struct Talk(WebSocket<TcpStream>);

impl Connection for Talk {
    type Message = Frame;

    fn text(content: String) -> Frame {
        Frame::text(content)
    }

    fn binary(content: Vec<u8>) -> Frame {
        Frame::binary(content)
    }

    async fn connect(address: SocketAddr) -> Result<Self, Failure> {
        let url = format!("ws://{address}/").parse()?;
        // By default text is not validated, although RFC 6455 requires it, and 1 MiB is too large.
        let options = Options::default().with_utf8().with_max_payload_read(2 << 20);
        Ok(Self(WebSocket::handshake(url, stream(address).await?, options).await?))
    }
}

impl Socket for Talk {
    async fn feed(&mut self, message: &Frame) -> Result<(), Failure> {
        Ok(self.0.feed(message.clone()).await?)
    }

    async fn send(&mut self, message: &Frame) -> Result<(), Failure> {
        Ok(self.0.send(message.clone()).await?)
    }

    async fn receive(&mut self, echo: &Echo) -> Result<(), Failure> {
        echo.check(self.0.next().await.ok_or(CLOSED)?.payload())
    }
}
