//! Our server in the runtime of a test, with scripted clients.

use std::future::Future;
use std::net::SocketAddr;
use std::time::Duration;

use fullduplex_net::{Connections, Counts, Drained, HandlerResult, Request, Server, ServerOptions};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use crate::guarded::HANG;
use crate::script::{Peer, SAMPLE_REQUEST, guarded};

/// A server on a free port of 127.0.0.1.
#[derive(Debug)]
pub struct Served {
    address: SocketAddr,
    connections: Connections,
    task: JoinHandle<()>,
}

impl Served {
    /// Starts a server that runs `handler` for each client.
    ///
    /// # Panics
    /// If there is no free port.
    pub async fn by<F>(
        options: ServerOptions,
        handler: impl Fn(Request) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = HandlerResult> + Send + 'static,
    {
        let server = Server::bind("127.0.0.1:0", options).await.expect("loopback has a free port");
        Self::from_server(server, handler)
    }

    /// Starts `server`, which is bound to an address.
    ///
    /// # Panics
    /// If the server listens at a path.
    pub fn from_server<F>(
        server: Server,
        handler: impl Fn(Request) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = HandlerResult> + Send + 'static,
    {
        let address = server.local_addr().expect("a bound socket has an address");
        let connections = server.connections().clone();
        Self { address, connections, task: tokio::spawn(server.serve(handler)) }
    }

    /// Returns the address of the server.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the connections of the server.
    pub fn connections(&self) -> &Connections {
        &self.connections
    }

    /// Connects a client and opens its connection.
    pub async fn client(&self) -> Peer {
        let mut peer = Peer::connect(self.address).await;
        peer.open(SAMPLE_REQUEST).await;
        peer
    }

    /// Waits until `count` connections exist.
    pub async fn until_open(&self, count: u64) {
        self.until(|counts| counts.open == count).await;
    }

    /// Waits until the counters satisfy `condition`.
    ///
    /// # Panics
    /// If that takes longer than 30 seconds.
    pub async fn until(&self, condition: impl Fn(&Counts) -> bool) {
        // The clock of the runtime may be paused, and waiting without a timer does not advance it.
        let start = std::time::Instant::now();
        loop {
            let counts = self.connections.counts();
            if condition(&counts) {
                return;
            }
            assert!(start.elapsed() < HANG, "the counters still are {counts:?}");
            tokio::task::yield_now().await;
        }
    }

    /// Shuts the server down and waits until it has ended.
    pub async fn shutdown(self, grace: Duration) -> Drained {
        let drained = self.connections.shutdown(grace).await;
        guarded("the end of the server", self.task).await.expect("a server does not panic");
        drained
    }
}

/// Reads until the other end closes or resets the connection, and returns the bytes.
pub async fn read_to_end(peer: Peer<TcpStream>) -> Vec<u8> {
    use tokio::io::AsyncReadExt;
    let mut bytes = Vec::new();
    let mut stream = peer.into_inner();
    guarded("the end of the stream", stream.read_to_end(&mut bytes)).await.ok();
    bytes
}
