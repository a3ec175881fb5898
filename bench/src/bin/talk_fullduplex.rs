use std::net::SocketAddr;

use fullduplex_bench::talk::{Client, Echo, Failure, run};
use fullduplex_net::proto::{Message, Url};
use fullduplex_net::{ConnectOptions, Socket, connect};

fn main() -> Result<(), Failure> {
    run::<Talk>()
}

struct Talk(Socket);

impl Client for Talk {
    type Message = Message;

    fn text(content: String) -> Message {
        content.into()
    }

    fn binary(content: Vec<u8>) -> Message {
        content.into()
    }

    async fn connect(address: SocketAddr) -> Result<Self, Failure> {
        let url = Url::parse(&format!("ws://{address}/"))?;
        Ok(Self(connect(&url, &ConnectOptions::default()).await?.0))
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
            let message = self.0.recv().await?.ok_or("the connection was closed")?;
            echo.check(message.payload())?;
        }
        Ok(())
    }
}
