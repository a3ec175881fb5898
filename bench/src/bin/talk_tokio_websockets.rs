use std::net::SocketAddr;

use fullduplex_bench::talk::{CLOSED, Connection, Echo, Failure, Socket, run, stream};
use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio_websockets::{ClientBuilder, Message, WebSocketStream};

fn main() -> Result<(), Failure> {
    run::<Talk>()
}

struct Talk(WebSocketStream<TcpStream>);

impl Connection for Talk {
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
}

impl Socket for Talk {
    async fn feed(&mut self, message: &Message) -> Result<(), Failure> {
        Ok(self.0.feed(message.clone()).await?)
    }

    async fn send(&mut self, message: &Message) -> Result<(), Failure> {
        Ok(self.0.send(message.clone()).await?)
    }

    async fn receive(&mut self, echo: &Echo) -> Result<(), Failure> {
        echo.check(self.0.next().await.ok_or(CLOSED)??.as_payload())
    }
}
