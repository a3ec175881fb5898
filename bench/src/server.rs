//! What the servers have in common.

use std::future::Future;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use tokio::net::{TcpListener, TcpStream};

/// What the servers without a protocol read at most at a time.
pub const RAW_BUFFER: usize = 256 << 10;

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

/// Tells whoever has started this server where it listens.
pub fn announce(address: SocketAddr) {
    println!("{address}");
}

/// Whether this server was started to compress.
pub fn is_to_deflate() -> bool {
    std::env::args().any(|argument| argument == DEFLATE)
}

pub(crate) const DEFLATE: &str = "--deflate";
