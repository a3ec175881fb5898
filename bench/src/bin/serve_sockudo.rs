use std::io;
use std::sync::Arc;

use bytes::BytesMut;
use fullduplex_bench::server::{Mode, deflate_level, run, serve_each};
use futures_util::{Sink, SinkExt, Stream, StreamExt};
use sockudo_ws::deflate::negotiate_server_deflate;
use sockudo_ws::handshake::{build_response, generate_accept_key, parse_request, server_handshake};
use sockudo_ws::pubsub::PubSub;
use sockudo_ws::stream::CompressedWebSocketStream;
use sockudo_ws::{Config, DeflateConfig, Error, Message, WebSocketStream};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::select;
use tokio::sync::mpsc::unbounded_channel;

fn main() -> io::Result<()> {
    match Mode::of_this() {
        Mode::Echo => run(serve_each(serve)),
        Mode::Deflate => run(serve_each(serve_deflating)),
        Mode::Broadcast => {
            let room = Arc::new(PubSub::new());
            run(serve_each(move |stream| chat(stream, room.clone())))
        }
    }
}

async fn serve(mut stream: TcpStream) -> Result<(), Error> {
    server_handshake(&mut stream).await?;
    echo(WebSocketStream::server(stream, config())).await
}

/// Does the same as `server_handshake`, and also negotiates extensions, which that function does not do.
async fn serve_deflating(mut stream: TcpStream) -> Result<(), Error> {
    let mut input = BytesMut::with_capacity(4096);
    let agreed = loop {
        if stream.read_buf(&mut input).await? == 0 {
            return Err(Error::ConnectionClosed);
        }
        if let Some((request, _)) = parse_request(&input)? {
            let offers = request.extensions.unwrap_or_default();
            let agreed = negotiate_server_deflate(offers, &deflate());
            let agreed =
                agreed.ok_or(Error::HandshakeFailed("permessage-deflate is not offered"))?;
            let key = generate_accept_key(request.key);
            let response = build_response(&key, None, Some(&agreed.to_response_header()));
            stream.write_all(&response).await?;
            break agreed.config;
        }
    };
    drop(input);
    echo(CompressedWebSocketStream::server(stream, config(), agreed)).await
}

fn deflate() -> DeflateConfig {
    let mut deflate = DeflateConfig::default();
    if let Some(level) = deflate_level() {
        deflate.compression_level = level.into();
    }
    deflate
}

async fn echo<S>(mut socket: S) -> Result<(), Error>
where
    S: Stream<Item = Result<Message, Error>> + Sink<Message, Error = Error> + Unpin,
{
    while let Some(message) = socket.next().await {
        match message? {
            message @ (Message::Text(_) | Message::Binary(_)) => socket.send(message).await?,
            Message::Close(_) => break,
            _ => {}
        }
    }
    Ok(())
}

async fn chat(mut stream: TcpStream, room: Arc<PubSub>) -> Result<(), Error> {
    server_handshake(&mut stream).await?;
    let mut socket = WebSocketStream::server(stream, config());
    let (sender, mut messages) = unbounded_channel();
    let member = room.create_subscriber(sender);
    room.subscribe(member, TOPIC);
    let outcome = loop {
        select! {
            message = socket.next() => match message {
                Some(Ok(message @ (Message::Text(_) | Message::Binary(_)))) => {
                    room.publish(TOPIC, message);
                }
                Some(Err(error)) => break Err(error),
                Some(Ok(Message::Close(_))) | None => break Ok(()),
                Some(Ok(_)) => {}
            },
            Some(message) = messages.recv() => socket.send(message).await?,
        }
    };
    room.remove_subscriber(member);
    outcome
}

const TOPIC: &str = "all";

/// Returns a configuration without Pings and idle timeouts, because the other servers do not have them.
fn config() -> Config {
    Config::builder().auto_ping(false).idle_timeout(0).build()
}
