use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use fullduplex_lab::script::{BINARY, FIN, PING, masked_frame};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::sleep;

use crate::raw;
use crate::serve::{MESSAGE_BYTES, ROOM};

/// What a hostile peer does. A thousand peers need little CPU time. The test shows whether the server waits
/// for them, and how much memory they use.
#[derive(Debug, Clone, Copy)]
pub(super) enum Attack {
    /// A request, byte by byte.
    SlowHandshake,
    /// A request with endless headers.
    HugeHead,
    /// Pings, without reading the Pongs.
    PingFlood,
    /// Messages, without reading their echoes.
    DeafEcho,
    /// Messages to a room of peers that do the same, without reading any message.
    DeafRoom,
    /// The largest message, without its last byte.
    HalfMessage,
    /// Resets the connection at some step.
    Storm,
}

/// How long a peer waits before it sends more, or connects again.
const PAUSE: Duration = Duration::from_secs(1);
const LONG_PAUSE: Duration = Duration::from_secs(20);

/// The size of the receive buffer. The system raises it to its minimum. The buffer is small so that the
/// server's send buffer fills soon.
const RECEIVE_BUFFER: u32 = 1;

const PATH: &str = "/";

impl Attack {
    pub(super) const ALL: [Self; 7] = [
        Self::SlowHandshake,
        Self::HugeHead,
        Self::PingFlood,
        Self::DeafEcho,
        Self::DeafRoom,
        Self::HalfMessage,
        Self::Storm,
    ];

    /// Runs the attack until it is complete or the server ends the connection. Returns any error of the
    /// connection.
    pub(super) async fn run(self, server: SocketAddr, number: usize) -> io::Result<()> {
        let socket = TcpSocket::new_v4()?;
        socket.set_recv_buffer_size(RECEIVE_BUFFER)?;
        let mut stream = raw::connect_by(socket, server, number).await?;
        match self {
            Self::SlowHandshake => {
                for byte in raw::request(PATH).bytes() {
                    stream.write_u8(byte).await?;
                    sleep(PAUSE).await;
                }
                Ok(())
            }
            Self::HugeHead => {
                stream.write_all(b"GET / HTTP/1.1\r\nHost: example.com\r\n").await?;
                repeat(stream, format!("X-Much: {}\r\n", "much ".repeat(200)), PAUSE).await
            }
            Self::PingFlood => {
                raw::shake_hands(&mut stream, PATH).await?;
                repeat(stream, masked_frame(FIN | PING, [7; 125]).repeat(100), PAUSE).await
            }
            Self::DeafEcho => {
                raw::shake_hands(&mut stream, PATH).await?;
                repeat(stream, masked_frame(FIN | BINARY, vec![7; 16 << 10]), PAUSE).await
            }
            Self::DeafRoom => {
                raw::shake_hands(&mut stream, ROOM).await?;
                repeat(stream, masked_frame(FIN | BINARY, vec![7; 64 << 10]), LONG_PAUSE).await
            }
            Self::HalfMessage => {
                raw::shake_hands(&mut stream, PATH).await?;
                send_half_a_message(stream).await
            }
            Self::Storm => storm(stream, number).await,
        }
    }
}

/// Sends the same bytes repeatedly.
async fn repeat(mut stream: TcpStream, bytes: impl AsRef<[u8]>, pause: Duration) -> io::Result<()> {
    loop {
        stream.write_all(bytes.as_ref()).await?;
        sleep(pause).await;
    }
}

async fn send_half_a_message(mut stream: TcpStream) -> io::Result<()> {
    let whole = masked_frame(FIN | BINARY, vec![7; MESSAGE_BYTES]);
    for some in whole[..whole.len() - 1].chunks(64 << 10) {
        stream.write_all(some).await?;
        sleep(PAUSE).await;
    }
    stream.read_u8().await.map(drop)
}

async fn storm(mut stream: TcpStream, number: usize) -> io::Result<()> {
    match number % 4 {
        0 => {}
        1 => stream.write_all(&raw::request(PATH).as_bytes()[..40]).await?,
        2 => stream.write_all(raw::request(PATH).as_bytes()).await?,
        _ => {
            raw::shake_hands(&mut stream, PATH).await?;
            stream.write_all(&masked_frame(FIN | BINARY, [7; 64])).await?;
        }
    }
    raw::reset(stream)
}
