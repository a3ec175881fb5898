use std::net::SocketAddr;

use fullduplex_bench::talk::{CLOSED, Connection, Echo, Failure, Socket, run, stream};
use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{WebSocketStream, client_async};

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
        let (socket, _) = client_async(format!("ws://{address}/"), stream(address).await?).await?;
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
        match self.0.next().await.ok_or(CLOSED)?? {
            Message::Text(text) => echo.check(text.as_bytes()),
            Message::Binary(bytes) => echo.check(&bytes),
            _ => Err("a control frame came".into()),
        }
    }
}
