//! Connections over loopback: our socket at one end, and the peer's raw stream at the other.

use fullduplex_lab::ca::{Authority, Validity};
use fullduplex_lab::script::{Peer, SAMPLE_REQUEST, guarded};
use fullduplex_net::proto::{Limits, Timeouts};
use fullduplex_net::{
    AcceptOptions, ConnectOptions, Socket, Tls, Transport, accept, connect, connect_transport,
};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::CLOSE_TIMEOUT;

/// The role of our end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Server,
    Client,
}

/// The transport.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Via {
    Tcp,
    Tls,
}

/// An open connection.
pub(crate) struct Connected {
    pub(crate) socket: Socket,
    pub(crate) stream: Box<dyn Stream>,
}

/// The stream of the peer.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// State that all connections share.
pub(crate) struct Lab {
    acceptor: TlsAcceptor,
    connect: ConnectOptions,
    accept: AcceptOptions,
}

impl Lab {
    pub(crate) async fn new() -> Self {
        let authority = Authority::new();
        let mut timeouts = Timeouts::default();
        timeouts.close = CLOSE_TIMEOUT;
        // A message that does not end must not exceed a limit before the deadline.
        let mut limits = Limits::default();
        limits.message_frames = usize::MAX;
        let tls = Tls::builder().only_roots(authority.root_pem().as_bytes()).build().unwrap();
        Self {
            acceptor: authority.issue(&["localhost"], Validity::Now).acceptor(),
            connect: ConnectOptions::new().tls(tls).timeouts(timeouts).limits(limits),
            accept: AcceptOptions::default().timeouts(timeouts).limits(limits),
        }
    }

    /// Opens a connection. Our socket is one of its two ends.
    pub(crate) async fn connect(&self, end: End, via: Via) -> Connected {
        let opened = async {
            match end {
                End::Server => self.server(via).await,
                End::Client => self.client(via).await,
            }
        };
        guarded("the opening handshake", opened).await
    }

    async fn server(&self, via: Via) -> Connected {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = url(&listener, via);
        let accepted = async {
            let (stream, _) = listener.accept().await.unwrap();
            let transport = match via {
                Via::Tcp => Transport::from(stream),
                Via::Tls => Transport::other(self.acceptor.accept(stream).await.unwrap()),
            };
            accept(transport, &self.accept).await.unwrap()
        };
        let peer = async {
            let mut peer = Peer::over(connect_transport(url, &self.connect).await.unwrap());
            peer.open(SAMPLE_REQUEST).await;
            peer.into_inner()
        };
        let (socket, stream) = tokio::join!(accepted, peer);
        Connected { socket, stream: Box::new(stream) }
    }

    async fn client(&self, via: Via) -> Connected {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = url(&listener, via);
        let peer = async {
            let (stream, _) = listener.accept().await.unwrap();
            let stream: Box<dyn Stream> = match via {
                Via::Tcp => Box::new(stream),
                Via::Tls => Box::new(self.acceptor.accept(stream).await.unwrap()),
            };
            let mut peer = Peer::over(stream);
            peer.shake_hands().await;
            peer.into_inner()
        };
        let (connected, stream) = tokio::join!(connect(url, &self.connect), peer);
        Connected { socket: connected.unwrap().0, stream }
    }
}

fn url(listener: &TcpListener, via: Via) -> String {
    let scheme = match via {
        Via::Tcp => "ws",
        Via::Tls => "wss",
    };
    format!("{scheme}://localhost:{}/", listener.local_addr().unwrap().port())
}
