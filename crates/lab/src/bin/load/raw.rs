//! Clients that send raw bytes, valid or not.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use fullduplex_lab::script::SAMPLE_REQUEST;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

/// The number of client addresses. Ended connections block the ports of an address for some time.
const ADDRESSES: usize = 64;

/// Connects as the client with this number.
pub(crate) async fn connect(server: SocketAddr, number: usize) -> io::Result<TcpStream> {
    connect_by(TcpSocket::new_v4()?, server, number).await
}

/// Connects as [`connect`] does, with a socket that the caller has configured.
pub(crate) async fn connect_by(
    socket: TcpSocket,
    server: SocketAddr,
    number: usize,
) -> io::Result<TcpStream> {
    let host = 2 + (number % ADDRESSES) as u8;
    socket.bind((Ipv4Addr::new(127, 0, 0, host), 0).into())?;
    let stream = socket.connect(server).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Returns the opening request for a path.
pub(crate) fn request(path: &str) -> String {
    SAMPLE_REQUEST.replacen("/chat", path, 1)
}

/// Performs the opening handshake. Does not read the messages that follow the server's response.
pub(crate) async fn shake_hands(stream: &mut TcpStream, path: &str) -> io::Result<()> {
    stream.write_all(request(path).as_bytes()).await?;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    if head.starts_with(b"HTTP/1.1 101 ") {
        Ok(())
    } else {
        Err(io::Error::other(String::from_utf8_lossy(&head)))
    }
}

/// Resets the connection.
pub(crate) fn reset(stream: TcpStream) -> io::Result<()> {
    socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO))
}
