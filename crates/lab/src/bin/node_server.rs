//! The server for the benchmarks of the npm package (`npm run bench` in `crates/node`):
//!
//! - `/echo` sends each message back.
//! - `/flood` receives a text with a number of messages and their size, and sends them.
//! - `/sink` receives messages, and answers a text with the number of messages before it.

use std::io::Write;

use fullduplex_net::proto::Message;
use fullduplex_net::{HandlerResult, Request, Server, ServerOptions, Socket, SocketError};

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::io::Result<()> {
    let server = Server::bind("127.0.0.1:0", ServerOptions::default()).await?;
    let mut stdout = std::io::stdout();
    writeln!(stdout, "ws://{}", server.local_addr()?)?;
    stdout.flush()?;
    server.serve(serve).await;
    Ok(())
}

async fn serve(request: Request) -> HandlerResult {
    let path = request.uri().path().to_owned();
    let mut socket = request.accept().await?;
    match path.as_str() {
        "/flood" => flood(&mut socket).await?,
        "/sink" => sink(&mut socket).await?,
        _ => echo(&mut socket).await?,
    }
    Ok(())
}

async fn echo(socket: &mut Socket) -> Result<(), SocketError> {
    while let Some(message) = socket.recv().await? {
        if socket.send(message).await.is_err() {
            break;
        }
    }
    Ok(())
}

async fn flood(socket: &mut Socket) -> Result<(), SocketError> {
    while let Some(request) = socket.recv().await? {
        let Message::Text(request) = request else { continue };
        let mut numbers = request.as_str().split(' ').map_while(|word| word.parse().ok());
        let count = numbers.next().unwrap_or(0);
        let message = Message::from("x".repeat(numbers.next().unwrap_or(0)));
        for _ in 0..count {
            if socket.send(message.clone()).await.is_err() {
                return Ok(());
            }
        }
    }
    Ok(())
}

async fn sink(socket: &mut Socket) -> Result<(), SocketError> {
    let mut received = 0_usize;
    while let Some(message) = socket.recv().await? {
        match message {
            Message::Text(text) if text.as_str() == "count" => {
                if socket.send(received.to_string()).await.is_err() {
                    break;
                }
            }
            _ => received += 1,
        }
    }
    Ok(())
}
