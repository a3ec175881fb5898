//! The common part of the servers.

use std::future::Future;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::broadcast;

/// The mode of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mode {
    /// Echoes each message.
    Echo,
    /// Echoes each message, and accepts permessage-deflate.
    Deflate,
    /// Sends each message to all clients.
    Broadcast,
}

/// A version of HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Http {
    /// HTTP/1.1, with one WebSocket in each connection.
    One,
    /// HTTP/2, with one WebSocket in each stream (RFC 8441).
    Two,
}

/// A channel through which a server sends to all connections, if its library has no API for that.
/// Each connection has a task, which subscribes to the channel.
pub type Room<T> = broadcast::Sender<T>;

/// The maximum number of bytes that the servers without a protocol read at once.
pub const RAW_BUFFER: usize = 256 << 10;

/// The capacity of a room: more messages than are in flight at any time.
const ROOM_CAPACITY: usize = 64;

impl Mode {
    /// Returns the mode of this process.
    pub fn of_this() -> Self {
        let given = |mode: &Mode| std::env::args().any(|argument| argument == mode.argument());
        [Self::Deflate, Self::Broadcast].into_iter().find(given).unwrap_or(Self::Echo)
    }

    pub(crate) fn argument(self) -> &'static str {
        match self {
            Self::Echo => "--echo",
            Self::Deflate => "--deflate",
            Self::Broadcast => "--broadcast",
        }
    }
}

/// Returns the compression level to use instead of the default of the library.
pub fn deflate_level() -> Option<u8> {
    std::env::var("DEFLATE_LEVEL").ok()?.parse().ok()
}

/// Runs a server until stdin ends.
///
/// All servers have one thread, so that the figures do not depend on the number of processors.
///
/// # Errors
/// Returns the errors of the server.
pub fn run(server: impl Future<Output = io::Result<()>>) -> io::Result<()> {
    end_with_stdin();
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(server)
}

/// Exits when stdin ends, so that no server outlives the program that started it.
pub fn end_with_stdin() {
    std::thread::spawn(|| {
        io::copy(&mut io::stdin(), &mut io::sink()).ok();
        std::process::exit(0)
    });
}

/// Listens, and handles each connection in a separate task. Ignores the result of a connection,
/// because the client notices if a connection ends too early.
///
/// # Errors
/// Fails if listening or accepting fails.
pub async fn serve_each<F>(handle: impl Fn(TcpStream) -> F) -> io::Result<()>
where
    F: Future<Output: Send> + Send + 'static,
{
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    announce(listener.local_addr()?);
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tokio::spawn(handle(stream));
    }
}

/// Creates an empty room.
pub fn room<T: Clone>() -> Room<T> {
    broadcast::channel(ROOM_CAPACITY).0
}

/// Prints the address for the program that has started this server.
pub fn announce(address: SocketAddr) {
    println!("{address}");
}
