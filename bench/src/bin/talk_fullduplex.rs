use std::net::SocketAddr;

use fullduplex_bench::talk::{self, CLOSED, Connection, Echo, Failure, run};
use fullduplex_net::proto::{Message, Url};
use fullduplex_net::{ConnectOptions, Socket, connect};

fn main() -> Result<(), Failure> {
    run::<Talk>()
}

struct Talk(Socket);

impl Connection for Talk {
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
}

impl talk::Socket for Talk {
    async fn feed(&mut self, message: &Message) -> Result<(), Failure> {
        Ok(self.0.feed(message.clone()).await?)
    }

    async fn send(&mut self, message: &Message) -> Result<(), Failure> {
        Ok(self.0.send(message.clone()).await?)
    }

    async fn receive(&mut self, echo: &Echo) -> Result<(), Failure> {
        echo.check(self.0.recv().await?.ok_or(CLOSED)?.payload())
    }
}
