use std::fmt;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
#[cfg(unix)]
use tokio::net::UnixStream;

use crate::observer::ConnectObserver;
use crate::tls::{self, Tls};

/// The transport of a [`Socket`](crate::Socket) of [`connect`](crate::connect) or of a
/// [`Server`](crate::Server): TCP, TLS, a Unix socket, or any other stream.
#[derive(Debug)]
pub struct Transport(Kind);

enum Kind {
    Tcp(TcpStream),
    Tls(Box<tls::Stream<TcpStream>>),
    #[cfg(unix)]
    Unix(Box<UnixStream>),
    Other(Box<dyn Stream>),
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

impl Transport {
    /// Wraps any other stream, for example one of another TLS library.
    pub fn other(stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static) -> Self {
        Self(Kind::Other(Box::new(stream)))
    }
}

/// Sets `TCP_NODELAY`, so that each message is sent immediately. If the system does not support it, messages are
/// delayed.
impl From<TcpStream> for Transport {
    fn from(stream: TcpStream) -> Self {
        stream.set_nodelay(true).ok();
        Self(Kind::Tcp(stream))
    }
}

#[cfg(unix)]
impl From<UnixStream> for Transport {
    fn from(stream: UnixStream) -> Self {
        Self(Kind::Unix(Box::new(stream)))
    }
}

/// A transport of a listener that no runtime polls, so that the runtime of another thread can take it.
#[derive(Debug)]
pub(crate) enum Detached {
    Tcp(std::net::TcpStream),
    #[cfg(unix)]
    Unix(std::os::unix::net::UnixStream),
}

impl Detached {
    /// Lets the runtime of this thread poll the transport.
    pub(crate) fn attach(self) -> io::Result<Transport> {
        Ok(Transport(match self {
            Self::Tcp(stream) => Kind::Tcp(TcpStream::from_std(stream)?),
            #[cfg(unix)]
            Self::Unix(stream) => Kind::Unix(Box::new(UnixStream::from_std(stream)?)),
        }))
    }
}

impl Transport {
    /// Takes the transport from its runtime. Only the transports of a listener support this.
    pub(crate) fn detach(self) -> io::Result<Detached> {
        match self.0 {
            Kind::Tcp(stream) => stream.into_std().map(Detached::Tcp),
            #[cfg(unix)]
            Kind::Unix(stream) => stream.into_std().map(Detached::Unix),
            Kind::Tls(_) | Kind::Other(_) => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    /// Performs the TLS handshake as a client of `host`. Offers the protocol `preferred` of ALPN before HTTP/1.1,
    /// and returns whether the server has chosen it.
    pub(crate) async fn over_tls(
        self,
        tls: &Tls,
        host: &str,
        observer: Option<&Arc<dyn ConnectObserver>>,
        preferred: Option<&[u8]>,
    ) -> io::Result<(Self, bool)> {
        Ok(match self.0 {
            Kind::Tcp(stream) => {
                let stream = tls.connect(stream, host, observer, preferred).await?;
                let is_preferred = preferred.is_some() && tls::alpn(&stream) == preferred;
                (Self::tls(stream), is_preferred)
            }
            other => {
                let stream = tls.connect(Self(other), host, observer, preferred).await?;
                let is_preferred = preferred.is_some() && tls::alpn(&stream) == preferred;
                (Self::other(stream), is_preferred)
            }
        })
    }

    /// Performs the TLS handshake as a server.
    pub(crate) async fn accept_tls(self, acceptor: &tls::Acceptor) -> io::Result<Self> {
        Ok(match self.0 {
            Kind::Tcp(stream) => Self::tls(acceptor.accept(stream).await?),
            other => Self::other(acceptor.accept(Self(other)).await?),
        })
    }

    /// Returns the certificates of a client that has connected over TLS, in DER. The client's own certificate
    /// is the first.
    pub(crate) fn client_certificates(&self) -> impl Iterator<Item = &[u8]> {
        let stream = match &self.0 {
            Kind::Tls(stream) => Some(stream),
            _ => None,
        };
        stream.into_iter().flat_map(|stream| tls::peer_certificates(stream))
    }

    /// Returns the protocol that the TLS handshake has agreed on by ALPN.
    pub(crate) fn alpn(&self) -> Option<&[u8]> {
        match &self.0 {
            Kind::Tls(stream) => tls::alpn(stream),
            _ => None,
        }
    }

    fn tls(stream: impl Into<tls::Stream<TcpStream>>) -> Self {
        Self(Kind::Tls(Box::new(stream.into())))
    }
}

/// Calls a method of the pinned stream.
macro_rules! forward {
    ($stream:expr, $method:ident $(, $argument:expr)*) => {
        match &mut $stream.get_mut().0 {
            Kind::Tcp(stream) => Pin::new(stream).$method($($argument),*),
            Kind::Tls(stream) => Pin::new(stream).$method($($argument),*),
            #[cfg(unix)]
            Kind::Unix(stream) => Pin::new(stream).$method($($argument),*),
            Kind::Other(stream) => Pin::new(stream).$method($($argument),*),
        }
    };
}

impl AsyncRead for Transport {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        forward!(self, poll_read, cx, buf)
    }
}

impl AsyncWrite for Transport {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        forward!(self, poll_write, cx, buf)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        forward!(self, poll_write_vectored, cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        match &self.0 {
            Kind::Tcp(stream) => stream.is_write_vectored(),
            Kind::Tls(stream) => stream.is_write_vectored(),
            #[cfg(unix)]
            Kind::Unix(stream) => stream.is_write_vectored(),
            Kind::Other(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        forward!(self, poll_flush, cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        forward!(self, poll_shutdown, cx)
    }
}

impl fmt::Debug for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tcp(_) => "Tcp",
            Self::Tls(_) => "Tls",
            #[cfg(unix)]
            Self::Unix(_) => "Unix",
            Self::Other(_) => "Other",
        })
    }
}
