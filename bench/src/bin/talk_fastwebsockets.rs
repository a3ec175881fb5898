use std::net::SocketAddr;

use bytes::Bytes;
use fastwebsockets::handshake::{client, generate_key};
use fastwebsockets::{FragmentCollector, Frame, OpCode, Payload};
use fullduplex_bench::talk::{Connection, Echo, Failure, Socket, run, stream};
use http_body_util::Empty;
use hyper::Request;
use hyper::header::{CONNECTION, HOST, UPGRADE};
use hyper::upgrade::Upgraded;
use hyper_util::rt::{TokioExecutor, TokioIo};

fn main() -> Result<(), Failure> {
    run::<Talk>()
}

struct Talk(FragmentCollector<TokioIo<Upgraded>>);

impl Connection for Talk {
    type Message = (OpCode, Vec<u8>);

    fn text(content: String) -> Self::Message {
        (OpCode::Text, content.into_bytes())
    }

    fn binary(content: Vec<u8>) -> Self::Message {
        (OpCode::Binary, content)
    }

    async fn connect(address: SocketAddr) -> Result<Self, Failure> {
        let request = Request::get(format!("http://{address}/"))
            .header(HOST, address.to_string())
            .header(UPGRADE, "websocket")
            .header(CONNECTION, "upgrade")
            .header("Sec-WebSocket-Key", generate_key())
            .header("Sec-WebSocket-Version", "13")
            .body(Empty::<Bytes>::new())?;
        let stream = stream(address).await?;
        let (socket, _) = client(&TokioExecutor::new(), request, stream).await?;
        Ok(Self(FragmentCollector::new(socket)))
    }
}

impl Socket for Talk {
    async fn send(&mut self, (opcode, content): &Self::Message) -> Result<(), Failure> {
        let frame = Frame::new(true, *opcode, None, Payload::Borrowed(content));
        Ok(self.0.write_frame(frame).await?)
    }

    async fn receive(&mut self, echo: &Echo) -> Result<(), Failure> {
        echo.check(&self.0.read_frame().await?.payload)
    }
}
