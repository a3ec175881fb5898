use std::net::SocketAddr;

use fullduplex_bench::talk::{Client, Echo, Failure, run, stream};
use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use yawc::{Frame, Options, WebSocket};

fn main() -> Result<(), Failure> {
    run::<Talk>()
}

struct Talk(WebSocket<TcpStream>);

impl Client for Talk {
    type Message = Frame;

    fn text(content: String) -> Frame {
        Frame::text(content)
    }

    fn binary(content: Vec<u8>) -> Frame {
        Frame::binary(content)
    }

    async fn connect(address: SocketAddr) -> Result<Self, Failure> {
        let url = format!("ws://{address}/").parse()?;
        // Texts are not validated by default, as RFC 6455 wants them to be; and 1 MiB is too large.
        let options = Options::default().with_utf8().with_max_payload_read(2 << 20);
        Ok(Self(WebSocket::handshake(url, stream(address).await?, options).await?))
    }

    async fn exchange(
        &mut self,
        message: &Frame,
        burst: usize,
        echo: &Echo,
    ) -> Result<(), Failure> {
        for _ in 1..burst {
            self.0.feed(message.clone()).await?;
        }
        self.0.send(message.clone()).await?;
        for _ in 0..burst {
            let frame = self.0.next().await.ok_or("the connection was closed")?;
            echo.check(frame.payload())?;
        }
        Ok(())
    }
}
