//! A connection to a broker that can be cut.

use std::net::{Ipv4Addr, SocketAddr};

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// Forwards connections to a port of this machine.
#[derive(Debug)]
pub struct Cable {
    /// The port on which it accepts connections.
    pub port: u16,
    whole: watch::Sender<bool>,
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
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(pass_on(client, server, state.clone()));
            }
        });
        Self { port: address.port(), whole }
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

async fn pass_on(mut client: TcpStream, server: SocketAddr, mut whole: watch::Receiver<bool>) {
    if !*whole.borrow() {
        return;
    }
    let Ok(mut server) = TcpStream::connect(server).await else { return };
    tokio::select! {
        _ = copy_bidirectional(&mut client, &mut server) => {}
        _ = whole.wait_for(|&whole| !whole) => {}
    }
}
