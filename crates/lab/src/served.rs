//! A server of ours that runs in the runtime of a test, and clients that speak raw bytes.

use std::future::Future;
use std::net::SocketAddr;
use std::time::Duration;

use fullduplex_net::{Connections, Counts, Drained, Outcome, Request, Server, ServerOptions};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

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
        F: Future<Output = Outcome> + Send + 'static,
    {
        let server = Server::bind("127.0.0.1:0", options).await.expect("there is a free port");
        let address = server.local_addr().expect("it is bound");
        let connections = server.connections().clone();
        Self { address, connections, task: tokio::spawn(server.serve(handler)) }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its connections.
    pub fn connections(&self) -> &Connections {
        &self.connections
    }

    /// A client whose connection is open.
    pub async fn client(&self) -> Peer {
        let mut peer = Peer::connect(self.address).await;
        peer.open(SAMPLE_REQUEST).await;
        peer
    }

    /// Waits until so many connections are there.
    pub async fn until_open(&self, count: u64) {
        self.until(|counts| counts.open == count).await;
    }

    /// Waits until its counts are so.
    pub async fn until(&self, condition: impl Fn(&Counts) -> bool) {
        let counted = async {
            while !condition(&self.connections.counts()) {
                tokio::task::yield_now().await;
            }
        };
        guarded("what is counted", counted).await;
    }

    /// Shuts it down, and waits until it has ended.
    pub async fn shutdown(self, grace: Duration) -> Drained {
        let drained = self.connections.shutdown(grace).await;
        guarded("the end of the server", self.task).await.expect("a server does not panic");
        drained
    }
}

/// Whether the other end has ended the stream, and what came before.
pub async fn read_to_end(peer: Peer<TcpStream>) -> Vec<u8> {
    use tokio::io::AsyncReadExt;
    let mut bytes = Vec::new();
    let mut stream = peer.into_inner();
    guarded("the end of the stream", stream.read_to_end(&mut bytes)).await.ok();
    bytes
}
