//! A minimal WebSocket client, so that no library measures itself.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// A server that does not answer within this time has failed.
const PATIENCE: Duration = Duration::from_secs(30);

/// The key of the example in RFC 6455 section 1.3, and its accept value.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// The first byte of a frame with a complete text message.
pub const TEXT: u8 = 0x81;
/// The first byte of a frame with a complete binary message.
pub const BINARY: u8 = 0x82;
/// The first byte of a Ping, and of a Pong.
const PING: u8 = 0x89;
const PONG: u8 = 0x8A;
/// The first byte of a Close frame.
pub const CLOSE: u8 = 0x88;
/// The bit of the first byte that marks a compressed payload.
pub const COMPRESSED: u8 = 0x40;
const MASKED: u8 = 0x80;

/// A text message, and its frame.
#[derive(Debug)]
pub struct Message {
    text: Vec<u8>,
    compressed: bool,
    frame: Vec<u8>,
}

/// The offer of permessage-deflate, which the server has to accept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Offer {
    /// No compression.
    Nothing,
    /// Compression, with any parameters of the server.
    Deflate,
    /// Compression without context takeover, in both directions.
    DeflateWithoutTakeover,
}

/// One connection.
#[derive(Debug)]
pub struct Client {
    stream: TcpStream,
}

/// A connection whose handshake was requested.
#[derive(Debug)]
pub struct Opening {
    stream: TcpStream,
    request: String,
    offer: Offer,
}

/// Connects, and performs the opening handshake, unless the server is one that echoes the request.
/// A read from the stream fails after a timeout.
///
/// # Errors
/// Fails if the server does not accept the handshake or the offer.
pub fn open(address: SocketAddr, offer: Offer) -> io::Result<TcpStream> {
    Opening::start(address, offer)?.finish()
}

impl Opening {
    /// Connects, and sends the request.
    ///
    /// # Errors
    /// Fails if there is no server.
    pub fn start(address: SocketAddr, offer: Offer) -> io::Result<Self> {
        let mut stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let extensions = offer.header();
        let request = format!(
            "GET / HTTP/1.1\r\nHost: {address}\r\nUpgrade: websocket\r\n\
             Connection: Upgrade\r\nSec-WebSocket-Key: {KEY}\r\n\
             Sec-WebSocket-Version: 13\r\n{extensions}\r\n"
        );
        stream.write_all(request.as_bytes())?;
        Ok(Self { stream, request, offer })
    }

    /// Waits for the response.
    ///
    /// # Errors
    /// Fails if the server does not accept the handshake or the offer.
    pub fn finish(mut self) -> io::Result<TcpStream> {
        let response = read_head(&mut self.stream)?;
        let is_accepted = response.starts_with("HTTP/1.1 101 ")
            && response.contains(ACCEPT)
            && self.offer.is_agreed_to(&response);
        if is_accepted || response == self.request {
            Ok(self.stream)
        } else {
            Err(io::Error::other(format!("the server answered {response}")))
        }
    }
}

/// Returns a client's frame: masked, with `first` as its first byte.
pub fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first];
    match u16::try_from(payload.len()) {
        Ok(len @ ..126) => frame.push(MASKED | len as u8),
        Ok(len) => {
            frame.push(MASKED | 126);
            frame.extend(len.to_be_bytes());
        }
        Err(_) => {
            frame.push(MASKED | 127);
            frame.extend((payload.len() as u64).to_be_bytes());
        }
    }
    frame.extend(MASK);
    frame.extend(masked(payload, MASK));
    frame
}

impl Offer {
    fn header(self) -> &'static str {
        match self {
            Self::Nothing => "",
            Self::Deflate => "Sec-WebSocket-Extensions: permessage-deflate\r\n",
            Self::DeflateWithoutTakeover => {
                "Sec-WebSocket-Extensions: permessage-deflate; \
                 server_no_context_takeover; client_no_context_takeover\r\n"
            }
        }
    }

    fn is_agreed_to(self, response: &str) -> bool {
        let has_deflate = response.contains("permessage-deflate");
        let has_takeover = !response.contains("server_no_context_takeover");
        match self {
            Self::Nothing => !has_deflate,
            // A server may disable takeover without being asked.
            Self::Deflate => has_deflate,
            Self::DeflateWithoutTakeover => has_deflate && !has_takeover,
        }
    }
}

impl Message {
    /// Creates a text message of this length. If `compressed` is true, its payload is a stored block. Such a
    /// payload is not shorter than the text, but the receiver has to inflate it.
    pub fn new(len: u16, compressed: bool) -> Self {
        let text: Vec<u8> = (b'a'..=b'z').cycle().take(len.into()).collect();
        let payload = if compressed { stored(len, &text) } else { text.clone() };
        let first = if compressed { TEXT | COMPRESSED } else { TEXT };
        let frame = frame(first, &payload);
        Self { text, compressed, frame }
    }

    /// Creates a message with this text.
    pub fn text(text: &str) -> Self {
        let text = text.as_bytes().to_vec();
        let frame = frame(TEXT, &text);
        Self { text, compressed: false, frame }
    }
}

impl Client {
    /// Connects like [`open`].
    ///
    /// # Errors
    /// Fails like [`open`].
    pub fn connect(address: SocketAddr, offer: Offer) -> io::Result<Self> {
        Ok(Self { stream: open(address, offer)? })
    }

    /// Sends a message.
    ///
    /// # Errors
    /// Fails if the connection is lost.
    pub fn send(&mut self, message: &Message) -> io::Result<()> {
        self.stream.write_all(&message.frame)
    }

    /// Waits for the echo of the message.
    ///
    /// # Errors
    /// Fails if the connection is lost, or if another message arrives.
    pub fn expect(&mut self, message: &Message) -> io::Result<()> {
        let [first, second] = self.read()?;
        let len = match second & !MASKED {
            126 => u16::from_be_bytes(self.read()?).into(),
            127 => u64::from_be_bytes(self.read()?),
            len => len.into(),
        };
        // Only a server that does not parse frames echoes masked bytes.
        let mask = if second & MASKED == 0 { [0; 4] } else { self.read()? };
        let mut payload = Vec::new();
        (&self.stream).take(len).read_to_end(&mut payload).map_err(explain)?;
        let is_echo = if message.compressed {
            first == TEXT | COMPRESSED && !payload.is_empty()
        } else {
            first == TEXT && masked(&payload, mask).eq(message.text.iter().copied())
        };
        if is_echo { Ok(()) } else { Err(io::Error::other("the reply is not the message")) }
    }

    /// Waits for a Ping, and answers it.
    ///
    /// # Errors
    /// Fails if the connection is lost, or if another frame arrives.
    pub fn answer_ping(&mut self) -> io::Result<()> {
        let payload = self.read_control(PING)?;
        self.stream.write_all(&frame(PONG, &payload))
    }

    /// Waits for a Close, answers it, and waits for the end of the connection.
    ///
    /// # Errors
    /// Fails if the connection is lost, or if another frame arrives.
    pub fn answer_close(&mut self) -> io::Result<()> {
        let payload = self.read_control(CLOSE)?;
        self.stream.write_all(&frame(CLOSE, &payload))?;
        match self.stream.read(&mut [0]).map_err(explain)? {
            0 => Ok(()),
            _ => Err(io::Error::other("bytes follow a Close")),
        }
    }

    fn read_control(&mut self, expected: u8) -> io::Result<Vec<u8>> {
        let [first, len] = self.read()?;
        let mut payload = vec![0; len.into()];
        self.stream.read_exact(&mut payload).map_err(explain)?;
        if first == expected { Ok(payload) } else { Err(io::Error::other("another frame arrived")) }
    }

    fn read<const COUNT: usize>(&mut self) -> io::Result<[u8; COUNT]> {
        let mut bytes = [0; COUNT];
        self.stream.read_exact(&mut bytes).map_err(explain)?;
        Ok(bytes)
    }
}

/// Returns a stored block and the beginning of an empty one (RFC 7692 section 7.2.1).
fn stored(len: u16, text: &[u8]) -> Vec<u8> {
    let [low, high] = len.to_le_bytes();
    [&[0, low, high, !low, !high], text, &[0]].concat()
}

fn masked(payload: &[u8], mask: [u8; 4]) -> impl Iterator<Item = u8> {
    payload.iter().zip(mask.into_iter().cycle()).map(|(byte, mask)| byte ^ mask)
}

/// Reads up to the empty line. Nothing follows it, because the server only answers.
fn read_head(stream: &mut TcpStream) -> io::Result<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut bytes = [0; 512];
        let count = stream.read(&mut bytes).map_err(explain)?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        head.extend_from_slice(&bytes[..count]);
    }
    String::from_utf8(head).map_err(io::Error::other)
}

/// Explains the error of a read that timed out.
fn explain(error: io::Error) -> io::Error {
    match error.kind() {
        io::ErrorKind::WouldBlock => io::Error::other(format!("no answer for {PATIENCE:?}")),
        _ => error,
    }
}
