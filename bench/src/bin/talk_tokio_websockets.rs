use std::net::SocketAddr;

use fullduplex_bench::talk::{Client, Echo, Failure, run, stream};
use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio_websockets::{ClientBuilder, Message, WebSocketStream};

fn main() -> Result<(), Failure> {
    run::<Talk>()
}

struct Talk(WebSocketStream<TcpStream>);

impl Client for Talk {
    type Message = Message;

    fn text(content: String) -> Message {
        Message::text(content)
    }

    fn binary(content: Vec<u8>) -> Message {
        Message::binary(content)
    }

    async fn connect(address: SocketAddr) -> Result<Self, Failure> {
        let builder = ClientBuilder::new().uri(&format!("ws://{address}/"))?;
        let (socket, _) = builder.connect_on(stream(address).await?).await?;
        Ok(Self(socket))
    }

    async fn exchange(
        &mut self,
        message: &Message,
        burst: usize,
        echo: &Echo,
    ) -> Result<(), Failure> {
        for _ in 1..burst {
            self.0.feed(message.clone()).await?;
        }
        self.0.send(message.clone()).await?;
        for _ in 0..burst {
            let message = self.0.next().await.ok_or("the connection was closed")??;
            echo.check(message.as_payload())?;
        }
        Ok(())
    }
}
