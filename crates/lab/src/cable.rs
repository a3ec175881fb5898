//! A connection to a broker that can be cut.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// Forwards connections to a port of this machine.
#[derive(Debug)]
pub struct Cable {
    /// The port on which it accepts connections.
    pub port: u16,
    whole: watch::Sender<bool>,
    counts: Arc<Counts>,
}

/// The bytes that a [`Cable`] has forwarded.
#[derive(Debug, Clone, Copy)]
pub struct Passed {
    /// From the clients to the server.
    pub up: u64,
    /// From the server to the clients.
    pub down: u64,
}

#[derive(Debug, Default)]
struct Counts {
    up: AtomicU64,
    down: AtomicU64,
}

impl Cable {
    /// Starts to forward connections to a port.
    ///
    /// # Panics
    /// If there is no free port.
    pub async fn to(port: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port is free");
        let address = listener.local_addr().expect("it is bound");
        let (whole, _) = watch::channel(true);
        let server = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let state = whole.subscribe();
        let counts = Arc::new(Counts::default());
        let counting = Arc::clone(&counts);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(pass_on(client, server, state.clone(), Arc::clone(&counting)));
            }
        });
        Self { port: address.port(), whole, counts }
    }

    /// Returns the bytes that it has forwarded.
    pub fn passed(&self) -> Passed {
        Passed {
            up: self.counts.up.load(Ordering::Relaxed),
            down: self.counts.down.load(Ordering::Relaxed),
        }
    }

    /// Ends all connections, and refuses new connections.
    pub fn cut(&self) {
        self.whole.send_replace(false);
    }

    /// Forwards connections again.
    pub fn mend(&self) {
        self.whole.send_replace(true);
    }
}

async fn pass_on(
    client: TcpStream,
    server: SocketAddr,
    mut whole: watch::Receiver<bool>,
    counts: Arc<Counts>,
) {
    if !*whole.borrow() {
        return;
    }
    let Ok(server) = TcpStream::connect(server).await else { return };
    let ((client, to_client), (server, to_server)) = (client.into_split(), server.into_split());
    let copying = async {
        tokio::try_join!(copy(client, to_server, &counts.up), copy(server, to_client, &counts.down))
    };
    tokio::select! {
        _ = copying => {}
        _ = whole.wait_for(|&whole| !whole) => {}
    }
}

async fn copy(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    count: &AtomicU64,
) -> io::Result<()> {
    let mut buffer = vec![0; 16 << 10];
    loop {
        let read = from.read(&mut buffer).await?;
        if read == 0 {
            return to.shutdown().await;
        }
        count.fetch_add(read as u64, Ordering::Relaxed);
        to.write_all(&buffer[..read]).await?;
    }
}
