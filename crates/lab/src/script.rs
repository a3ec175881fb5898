//! A scripted peer, which sends raw bytes over TCP, valid or not, and reads the reply.
//!
//! [`script`] starts a server that plays a script with its first client. [`Scripted::record`] connects a
//! `WebSocket` as that client and records its events as a [`Trace`].

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use bytes::BytesMut;
use fullduplex::{Builder, WebSocket};
use fullduplex_proto::Limits;
use fullduplex_proto::MaskKey;
use fullduplex_proto::handshake::head::HeadReader;
use fullduplex_proto::handshake::{Answer, Offer};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

pub use crate::guarded::guarded;
use crate::trace::Trace;

/// The FIN bit.
pub const FIN: u8 = 0x80;
/// The RSV1 bit, which marks a compressed message.
pub const RSV1: u8 = 0x40;
/// The opcode of a continuation frame.
pub const CONTINUATION: u8 = 0x0;
/// The opcode of a text frame.
pub const TEXT: u8 = 0x1;
/// The opcode of a binary frame.
pub const BINARY: u8 = 0x2;
/// The opcode of a Close frame.
pub const CLOSE: u8 = 0x8;
/// The opcode of a Ping frame.
pub const PING: u8 = 0x9;
/// The opcode of a Pong frame.
pub const PONG: u8 = 0xA;

/// The first line of a response that opens the connection.
pub const SWITCHING: &str = "HTTP/1.1 101 Switching Protocols";
/// The Upgrade header of the response.
pub const UPGRADE: &str = "Upgrade: websocket";
/// The Connection header of the response.
pub const CONNECTION: &str = "Connection: Upgrade";
/// The Sec-WebSocket-Accept header of the response. [`answer_to`] inserts the value.
pub const ACCEPT: &str = "Sec-WebSocket-Accept: {accept}";
/// The response that opens the connection.
pub const OPENING: [&str; 4] = [SWITCHING, UPGRADE, CONNECTION, ACCEPT];

/// The opening request of RFC 6455 section 1.3.
pub const SAMPLE_REQUEST: &str = "GET /chat HTTP/1.1\r\nHost: localhost\r\n\
    Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    Sec-WebSocket-Version: 13\r\n\r\n";
/// The value of `Sec-WebSocket-Accept` for [`SAMPLE_REQUEST`].
pub const SAMPLE_ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// A free port of 127.0.0.1.
const LOOPBACK: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// Encodes a frame of a server, such as `frame(FIN | TEXT, "hello")`.
pub fn frame(first_byte: u8, payload: impl AsRef<[u8]>) -> Vec<u8> {
    let payload = payload.as_ref();
    let mut bytes = header(first_byte, payload.len() as u64);
    bytes.extend_from_slice(payload);
    bytes
}

/// Encodes a frame of a client, which is masked.
pub fn masked_frame(first_byte: u8, payload: impl AsRef<[u8]>) -> Vec<u8> {
    let payload = payload.as_ref();
    let key = MaskKey([1, 2, 3, 4]);
    let mut bytes = header(first_byte, payload.len() as u64);
    bytes[1] |= 0x80;
    bytes.extend(key.0);
    let start = bytes.len();
    bytes.extend_from_slice(payload);
    key.apply(0, &mut bytes[start..]);
    bytes
}

/// Encodes a frame header of a server, for any length of up to 64 bits.
pub fn header(first_byte: u8, length: u64) -> Vec<u8> {
    let mut bytes = vec![first_byte];
    match length {
        0..126 => bytes.push(length as u8),
        126..0x1_0000 => {
            bytes.push(126);
            bytes.extend((length as u16).to_be_bytes());
        }
        _ => {
            bytes.push(127);
            bytes.extend(length.to_be_bytes());
        }
    }
    bytes
}

/// Encodes a Close frame of a server.
pub fn close_frame(code: u16, reason: &str) -> Vec<u8> {
    frame(FIN | CLOSE, [&code.to_be_bytes(), reason.as_bytes()].concat())
}

/// Returns a response that consists of these lines and an empty line. Replaces `{accept}` by the value of
/// `Sec-WebSocket-Accept` for the request.
pub fn answer_to(request: &str, lines: &[&str]) -> Vec<u8> {
    let head = HeadReader::new(Limits::default()).request(&mut BytesMut::from(request));
    let request = head.expect("the head is valid").expect("the head is complete");
    let offer = Offer::from_request(&request).expect("the request is an opening request");
    let response = Answer::default().to_response(&offer);
    let accept = &response.headers()[http::header::SEC_WEBSOCKET_ACCEPT];
    let accept = accept.to_str().expect("base64 is ASCII");
    format!("{}\r\n\r\n", lines.join("\r\n")).replace("{accept}", accept).into_bytes()
}

/// Returns a socket on a free port of 127.0.0.1 that does not listen. Until the socket is dropped,
/// connections are refused and the port stays reserved.
pub fn deaf() -> (TcpSocket, SocketAddr) {
    let socket = TcpSocket::new_v4().expect("the system has sockets");
    socket.bind(LOOPBACK).expect("loopback has a free port");
    let address = socket.local_addr().expect("a bound socket has an address");
    (socket, address)
}

/// A server on a free port of 127.0.0.1 that plays a script with one client.
#[derive(Debug)]
pub struct Scripted<T> {
    address: SocketAddr,
    task: JoinHandle<T>,
}

/// Starts a server that plays `play` with the first client, and accepts no other.
pub async fn script<F, P>(play: P) -> Scripted<F::Output>
where
    P: FnOnce(Peer) -> F + Send + 'static,
    F: Future<Output: Send> + Send + 'static,
{
    let listener = TcpListener::bind(LOOPBACK).await.expect("loopback has a free port");
    let address = listener.local_addr().expect("a bound socket has an address");
    let task = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.expect("a client connects");
        drop(listener);
        play(Peer::over(stream)).await
    });
    Scripted { address, task }
}

impl<T> Scripted<T> {
    /// Returns the address of the server.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the `ws` URL of the server.
    pub fn url(&self) -> String {
        format!("ws://{}/", self.address)
    }

    /// Returns the `wss` URL of the server, with the host that its certificate names.
    pub fn wss_url(&self, host: &str) -> String {
        format!("wss://{host}:{}/", self.address.port())
    }

    /// Waits for the end of the script and returns its value. Panics if the script panicked.
    pub async fn finish(self) -> T {
        match guarded("the end of the script", self.task).await {
            Ok(value) => value,
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(error) => panic!("the script ended early: {error}"),
            },
        }
    }

    /// Connects a `WebSocket` and records its events until the end.
    pub async fn record(self) -> (Trace, T) {
        let socket = WebSocket::builder(&self.url());
        self.record_as(socket).await
    }

    /// Connects this `WebSocket` and records its events until the end.
    pub async fn record_as(self, socket: Builder) -> (Trace, T) {
        let trace = Trace::record(socket).await;
        (trace, self.finish().await)
    }
}

/// One end of a connection, which sends and reads raw frames.
#[derive(Debug)]
pub struct Peer<S = TcpStream> {
    stream: S,
}

/// A received frame, unmasked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// FIN, the reserved bits and the opcode.
    pub first_byte: u8,
    /// Whether the frame was masked.
    pub masked: bool,
    /// The unmasked payload.
    pub payload: Vec<u8>,
}

impl Peer {
    /// Connects as a client.
    pub async fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.expect("the server listens");
        // Nagle's algorithm would delay writes in real time, and a virtual clock does not wait for that.
        stream.set_nodelay(true).expect("TCP_NODELAY can be set");
        Self::over(stream)
    }

    /// Performs the TLS handshake as the server.
    ///
    /// # Errors
    /// The error of the handshake.
    pub async fn tls(self, acceptor: &TlsAcceptor) -> io::Result<Peer<TlsStream<TcpStream>>> {
        Ok(Peer::over(acceptor.accept(self.stream).await?))
    }

    /// Sends bytes and resets the connection without yielding. Therefore, in a current-thread runtime, the
    /// other end cannot reply before the reset.
    pub async fn reset_after(self, bytes: &[u8]) {
        self.stream.writable().await.expect("the connection is open");
        let sent = self.stream.try_write(bytes).expect("the system buffers a few bytes");
        assert_eq!(sent, bytes.len());
        let socket = socket2::SockRef::from(&self.stream);
        socket.set_linger(Some(Duration::ZERO)).expect("SO_LINGER can be set");
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Peer<S> {
    /// Returns a peer that reads and writes `stream`.
    pub fn over(stream: S) -> Self {
        Self { stream }
    }

    /// Returns the stream.
    pub fn into_inner(self) -> S {
        self.stream
    }

    /// Reads the head of an HTTP request or response.
    pub async fn read_head(&mut self) -> String {
        let mut raw = Vec::new();
        while !raw.ends_with(b"\r\n\r\n") {
            raw.push(self.stream.read_u8().await.expect("a complete head arrives"));
        }
        String::from_utf8(raw).expect("our heads are ASCII")
    }

    /// Reads the opening request, and sends the answer of [`answer_to`]. Returns the request.
    pub async fn answer(&mut self, lines: &[&str]) -> String {
        let request = self.read_head().await;
        self.send(answer_to(&request, lines)).await;
        request
    }

    /// Reads the opening request and opens the connection. Returns the request.
    pub async fn shake_hands(&mut self) -> String {
        self.answer(&OPENING).await
    }

    /// Sends an opening request, which must be accepted. Returns the head of the response.
    pub async fn open(&mut self, request: &str) -> String {
        self.send(request).await;
        let response = self.read_head().await;
        assert!(response.starts_with(SWITCHING), "{response}");
        response
    }

    /// Reads the next frame, which must start with this byte. Returns its payload.
    pub async fn read_payload(&mut self, first_byte: u8) -> Vec<u8> {
        let frame = guarded("the next frame", self.read_frame()).await;
        let frame = frame.expect("a frame arrives before the connection ends");
        assert_eq!(frame.first_byte, first_byte, "{frame:?}");
        frame.payload
    }

    /// Reads the next frame of a client, which must be short and start with this byte. Returns its payload
    /// without unmasking it.
    pub async fn read_raw_payload(&mut self, first_byte: u8) -> Vec<u8> {
        let [first, second] = self.stream.read_u16().await.expect("a frame arrives").to_be_bytes();
        assert_eq!(first, first_byte);
        let length = usize::from(second & 0x7F);
        assert!(second & 0x80 != 0 && length < 126, "not a short frame of a client: {second}");
        let mut bytes = vec![0; 4 + length];
        self.stream.read_exact(&mut bytes).await.expect("the frame is complete");
        bytes.split_off(4)
    }

    /// Sends bytes as they are.
    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.try_send(bytes).await.expect("the other end reads");
    }

    /// Sends bytes to an end that may have closed.
    ///
    /// # Errors
    /// The error of the write.
    pub async fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        self.stream.write_all(bytes.as_ref()).await?;
        self.stream.flush().await
    }

    /// Reads a frame, or returns `None` if the connection ends before its first byte.
    pub async fn read_frame(&mut self) -> Option<Frame> {
        let first_byte = self.stream.read_u8().await.ok()?;
        Some(self.read_frame_after(first_byte).await.expect("the frame is complete"))
    }

    async fn read_frame_after(&mut self, first_byte: u8) -> io::Result<Frame> {
        let second = self.stream.read_u8().await?;
        let length = match second & 0x7F {
            126 => u64::from(self.stream.read_u16().await?),
            127 => self.stream.read_u64().await?,
            short => u64::from(short),
        };
        let masked = second & 0x80 != 0;
        let mut key = [0; 4];
        if masked {
            self.stream.read_exact(&mut key).await?;
        }
        let mut payload = Vec::new();
        (&mut self.stream).take(length).read_to_end(&mut payload).await?;
        if payload.len() as u64 != length {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        MaskKey(key).apply(0, &mut payload);
        Ok(Frame { first_byte, masked, payload })
    }

    /// Reads a client's Close, which must be the next frame. Returns the code.
    pub async fn read_close(&mut self) -> Option<u16> {
        let frame = self.read_frame().await.expect("a Close arrives before the connection ends");
        assert_eq!(frame.first_byte, FIN | CLOSE, "not a Close: {frame:?}");
        assert!(frame.masked, "not masked: {frame:?}");
        frame.payload.first_chunk().map(|code| u16::from_be_bytes(*code))
    }

    /// Reads a Close as [`Peer::read_close`] does, and then the end of the connection.
    pub async fn expect_close(&mut self) -> Option<u16> {
        let code = self.read_close().await;
        assert_eq!(self.read_frame().await, None, "nothing follows a Close");
        code
    }

    /// Reads until the other end closes or resets the connection.
    pub async fn await_end(&mut self) {
        tokio::io::copy(&mut self.stream, &mut tokio::io::sink()).await.ok();
    }

    /// Ends the connection with a FIN (over TLS, after `close_notify`), and waits for the FIN of the other end.
    pub async fn fin(mut self) {
        self.stream.shutdown().await.ok();
        self.await_end().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_to_the_sample_request_equals_the_example_of_the_rfc() {
        assert_eq!(
            answer_to(SAMPLE_REQUEST, &["{accept}"]),
            format!("{SAMPLE_ACCEPT}\r\n\r\n").as_bytes()
        );
    }
}
