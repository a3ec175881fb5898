//! What the servers have in common.

use std::future::Future;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::broadcast;

/// What a server was started to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mode {
    /// Sends each message back.
    Echo,
    /// The same, and agrees to permessage-deflate.
    Deflate,
    /// Sends each message to all who are connected.
    Broadcast,
}

/// Where the connections of a server get what is for all of them, if its library has nothing for that:
/// each has a task, and a place in this channel.
pub type Room<T> = broadcast::Sender<T>;

/// What the servers without a protocol read at most at a time.
pub const RAW_BUFFER: usize = 256 << 10;

/// More than are ever under way.
const ROOM_CAPACITY: usize = 64;

impl Mode {
    /// The one of this process.
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

/// Runs a server until stdin ends.
///
/// All servers have one thread, so that a figure does not depend on how many processors there are.
///
/// # Errors
/// Those of the server.
pub fn run(server: impl Future<Output = io::Result<()>>) -> io::Result<()> {
    end_with_stdin();
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(server)
}

/// Ends this process when stdin ends, so that no server outlives whoever has started it.
pub fn end_with_stdin() {
    std::thread::spawn(|| {
        io::copy(&mut io::stdin(), &mut io::sink()).ok();
        std::process::exit(0)
    });
}

/// Listens, and handles each connection in a task of its own. How a connection ends is between its
/// ends: the client notices if it is too early.
///
/// # Errors
/// Listening or accepting failed.
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

/// A room in which nobody is yet.
pub fn room<T: Clone>() -> Room<T> {
    broadcast::channel(ROOM_CAPACITY).0
}

/// Tells whoever has started this server where it listens.
pub fn announce(address: SocketAddr) {
    println!("{address}");
}
