use std::net::SocketAddr;

use fullduplex_bench::talk::{Client, Echo, Failure, run, stream};
use futures_util::{SinkExt, StreamExt};
use sockudo_ws::client::WebSocketClient;
use sockudo_ws::{Config, Http1, Message, Stream, WebSocketStream};

fn main() -> Result<(), Failure> {
    run::<Talk>()
}

struct Talk(WebSocketStream<Stream<Http1>>);

impl Client for Talk {
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
            match self.0.next().await.ok_or("the connection was closed")?? {
                Message::Text(bytes) | Message::Binary(bytes) => echo.check(&bytes)?,
                _ => return Err("a control frame came".into()),
            }
        }
        Ok(())
    }
}
