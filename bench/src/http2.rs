//! A minimal HTTP/2 client, so that no library measures itself.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// The longest payload of a frame, in both directions. No end changes the default (RFC 9113 section 6.5.2).
pub const MAX_PAYLOAD: usize = 16 << 10;

/// The length of a frame's header.
const HEADER: usize = 9;

/// The largest window (RFC 9113 section 6.9.1).
pub const MAX_WINDOW: u32 = (1 << 31) - 1;

/// The window of a connection at its start.
pub const FIRST_WINDOW: u32 = (1 << 16) - 1;

/// A server that does not answer within this time has failed.
const PATIENCE: Duration = Duration::from_secs(30);

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

const INITIAL_WINDOW_SIZE: u16 = 4;
const ENABLE_CONNECT_PROTOCOL: u16 = 8;

const ACK: u8 = 0x1;
const END_STREAM: u8 = 0x1;
const END_HEADERS: u8 = 0x4;
const PADDED: u8 = 0x8;

/// The status 200 in a compressed head: an entry of the static table (RFC 7541 appendix A).
const STATUS_200: u8 = 0x88;

/// Types of frames.
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const WINDOW_UPDATE: u8 = 8;

/// What a server has sent.
#[derive(Debug)]
pub enum Received<'a> {
    /// Bytes of a stream.
    Data(u32, &'a [u8]),
    /// The response of a stream has the status 200.
    Accepted(u32),
    /// The stream, or the connection for zero, has room for more bytes.
    Window(u32, u32),
    /// A frame that was handled.
    Other,
}

/// The frames of a connection. Buffers what is sent until [`flush`](Self::flush).
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    output: Vec<u8>,
    /// The number of bytes of `output` that were written.
    written: usize,
    /// The window of each new stream.
    pub initial_window: u32,
}

impl Connection {
    /// Connects, and waits for the settings of the server.
    ///
    /// # Errors
    /// Fails if the server does not support WebSockets over HTTP/2.
    pub fn open(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let output = PREFACE.to_vec();
        let mut connection = Self { stream, output, written: 0, initial_window: FIRST_WINDOW };
        let [high, low] = INITIAL_WINDOW_SIZE.to_be_bytes();
        let window = [&[high, low][..], &MAX_WINDOW.to_be_bytes()].concat();
        connection.put(SETTINGS, 0, 0, &window);
        connection.release(0, MAX_WINDOW - FIRST_WINDOW);
        connection.flush()?;
        let mut header = [0; HEADER];
        connection.stream.read_exact(&mut header)?;
        let (len, ..) = split_header(header);
        let mut settings = vec![0; len];
        connection.stream.read_exact(&mut settings)?;
        if header[3] != SETTINGS || !connection.take_settings(&settings) {
            return Err(io::Error::other("the server does not support extended CONNECT"));
        }
        connection.stream.set_nonblocking(true)?;
        Ok(connection)
    }

    /// Asks for a WebSocket in a stream.
    pub fn connect(&mut self, id: u32, authority: &str) {
        let mut head = Vec::new();
        for (name, value) in [
            (":method", "CONNECT"),
            (":protocol", "websocket"),
            (":scheme", "http"),
            (":path", "/"),
            (":authority", authority),
            ("sec-websocket-version", "13"),
        ] {
            // A literal field without indexing (RFC 7541 section 6.2.2). The lengths are below 127.
            head.extend([0, name.len() as u8]);
            head.extend(name.as_bytes());
            head.push(value.len() as u8);
            head.extend(value.as_bytes());
        }
        self.put(HEADERS, END_HEADERS, id, &head);
    }

    /// Sends at most [`MAX_PAYLOAD`] bytes of a stream.
    pub fn send(&mut self, id: u32, bytes: &[u8]) {
        self.put(DATA, 0, id, bytes);
    }

    /// Lets the server send further bytes of a stream, or of the connection for zero.
    pub fn release(&mut self, id: u32, bytes: u32) {
        self.put(WINDOW_UPDATE, 0, id, &bytes.to_be_bytes());
    }

    /// Writes as much as the system takes.
    ///
    /// # Errors
    /// Fails if the connection is lost.
    pub fn flush(&mut self) -> io::Result<()> {
        while self.written < self.output.len() {
            match self.stream.write(&self.output[self.written..]) {
                Ok(count) => self.written += count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        self.output.clear();
        self.written = 0;
        Ok(())
    }

    /// Reads once, without waiting.
    ///
    /// # Errors
    /// Fails if the connection is lost.
    pub fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.stream.read(buffer) {
            Ok(0) => Err(io::Error::other("the server closed the connection")),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(0),
            outcome => outcome,
        }
    }

    /// Takes a frame from the received bytes, if it is complete.
    ///
    /// # Errors
    /// Fails if a stream or the connection ends, or if a frame is not expected.
    pub fn take<'a>(&mut self, bytes: &mut &'a [u8]) -> io::Result<Option<Received<'a>>> {
        let Some(&header) = bytes.first_chunk::<HEADER>() else { return Ok(None) };
        let (len, kind, flags, id) = split_header(header);
        let Some(payload) = bytes.get(HEADER..HEADER + len) else { return Ok(None) };
        *bytes = &bytes[HEADER + len..];
        let fault = || io::Error::other(format!("a frame was received: {header:x?} {payload:x?}"));
        let received = match kind {
            DATA if flags & (PADDED | END_STREAM) == 0 => Received::Data(id, payload),
            HEADERS if flags == END_HEADERS && payload.first() == Some(&STATUS_200) => {
                Received::Accepted(id)
            }
            WINDOW_UPDATE => {
                let room = payload.try_into().map_err(|_| fault())?;
                Received::Window(id, u32::from_be_bytes(room))
            }
            SETTINGS => Received::Other,
            PING if flags & ACK == 0 => {
                self.put(PING, ACK, 0, payload);
                Received::Other
            }
            _ => return Err(fault()),
        };
        Ok(Some(received))
    }

    /// Acknowledges settings. Returns whether the server supports extended CONNECT.
    fn take_settings(&mut self, settings: &[u8]) -> bool {
        let mut is_supported = false;
        for setting in settings.chunks_exact(6) {
            let value = u32::from_be_bytes([setting[2], setting[3], setting[4], setting[5]]);
            match u16::from_be_bytes([setting[0], setting[1]]) {
                INITIAL_WINDOW_SIZE => self.initial_window = value,
                ENABLE_CONNECT_PROTOCOL => is_supported = value == 1,
                _ => {}
            }
        }
        self.put(SETTINGS, ACK, 0, &[]);
        is_supported
    }

    fn put(&mut self, kind: u8, flags: u8, id: u32, payload: &[u8]) {
        self.output.extend(&(payload.len() as u32).to_be_bytes()[1..]);
        self.output.extend([kind, flags]);
        self.output.extend(id.to_be_bytes());
        self.output.extend(payload);
    }
}

/// Returns the length of the payload, the type, the flags and the stream.
fn split_header(header: [u8; HEADER]) -> (usize, u8, u8, u32) {
    let [l1, l2, l3, kind, flags, id @ ..] = header;
    let len = u32::from_be_bytes([0, l1, l2, l3]) as usize;
    (len, kind, flags, u32::from_be_bytes(id))
}
