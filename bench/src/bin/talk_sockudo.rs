use std::net::SocketAddr;

use fullduplex_bench::talk::{CLOSED, Connection, Echo, Failure, Socket, run, stream};
use futures_util::{SinkExt, StreamExt};
use sockudo_ws::client::WebSocketClient;
use sockudo_ws::{Config, Http1, Message, Stream, WebSocketStream};

fn main() -> Result<(), Failure> {
    run::<Talk>()
}

struct Talk(WebSocketStream<Stream<Http1>>);

impl Connection for Talk {
    type Message = Message;

    fn text(content: String) -> Message {
        Message::text(content)
    }

    fn binary(content: Vec<u8>) -> Message {
        Message::binary(content)
    }

    async fn connect(address: SocketAddr) -> Result<Self, Failure> {
        let config = Config::builder().auto_ping(false).idle_timeout(0).build();
        let client = WebSocketClient::<Http1>::new(config);
        let stream = stream(address).await?;
        let (socket, _) = client.connect(stream, &address.to_string(), "/", None).await?;
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
            Message::Text(bytes) | Message::Binary(bytes) => echo.check(&bytes),
            _ => Err("received a control frame".into()),
        }
    }
}
