pub(crate) mod accept;
pub(crate) mod connections;
pub(crate) mod counters;
pub(crate) mod fallback;
pub(crate) mod group;
pub(crate) mod guard;
pub(crate) mod handshake;
pub(crate) mod network;
pub(crate) mod request;
pub(crate) mod seat;
pub(crate) mod session;
pub(crate) mod task;
pub(crate) mod timers;

use std::future::Future;
use std::io;
use std::net::SocketAddr;
#[cfg(unix)]
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use fullduplex_proto::handshake::Rejection;
use tokio::net::{TcpListener, TcpStream, ToSocketAddrs};
#[cfg(unix)]
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;

use crate::server::connections::{Connections, ServerOptions};
use crate::server::connections::{Phase, Shared};
use crate::server::fallback::Fallback;
use crate::server::request::Request;
use crate::server::request::reject;
use crate::server::task::Outcome;
use crate::tls::Identity;
use crate::transport::Transport;

/// How long to leave a system alone that cannot accept: it may be out of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A connection for which there is no room is told so if it listens at once, and so many at a time.
const TURNED_AWAY_TIME: Duration = Duration::from_secs(1);
const TURNED_AWAY: usize = 64;

/// Listens for clients, and runs a handler for each.
///
/// ```no_run
/// use fullduplex_net::{Server, ServerOptions};
///
/// # async fn example() -> std::io::Result<()> {
/// let server = Server::bind("127.0.0.1:8080", ServerOptions::default()).await?;
/// server
///     .serve(|request| async move {
///         let mut socket = request.accept().await?;
///         while let Some(message) = socket.recv().await? {
///             socket.send(message).await?;
///         }
///         Ok(())
///     })
///     .await;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Server {
    listener: Listener,
    tls: Option<Identity>,
    fallback: Option<Fallback>,
    connections: Connections,
}

#[derive(Debug)]
enum Listener {
    Tcp(TcpListener),
    #[cfg(unix)]
    Unix(UnixListener),
}

pub(crate) enum Accepted {
    Tcp(TcpStream, SocketAddr),
    #[cfg(unix)]
    Unix(UnixStream),
}

impl Server {
    /// Listens at a TCP address.
    ///
    /// # Errors
    /// What the system says.
    pub async fn bind(address: impl ToSocketAddrs, options: ServerOptions) -> io::Result<Self> {
        Ok(Self::new(Listener::Tcp(TcpListener::bind(address).await?), options))
    }

    /// Listens at a path, which must not exist, for clients of the same machine.
    ///
    /// # Errors
    /// What the system says.
    #[cfg(unix)]
    pub fn bind_unix(path: impl AsRef<Path>, options: ServerOptions) -> io::Result<Self> {
        Ok(Self::new(Listener::Unix(UnixListener::bind(path)?), options))
    }

    /// Takes the clients of a listener that stands.
    pub fn from_listener(listener: TcpListener, options: ServerOptions) -> Self {
        Self::new(Listener::Tcp(listener), options)
    }

    fn new(listener: Listener, options: ServerOptions) -> Self {
        Self { listener, tls: None, fallback: None, connections: Connections::new(options) }
    }

    /// Speaks TLS with clients that come by TCP.
    pub fn with_tls(mut self, identity: &Identity) -> Self {
        self.tls = Some(identity.clone());
        self
    }

    /// Answers requests that ask for no upgrade, such as those of a browser for a page, or of a load
    /// balancer that asks whether the server is well. Where `find` has no answer, the response is 426.
    ///
    /// Only GET requests of HTTP/1.1 without a body come this far, from whatever origin. The response
    /// ends the connection; nothing else of HTTP is here, which a real HTTP server has: see
    /// `WebSocketUpgrade`.
    ///
    /// ```
    /// # use bytes::Bytes;
    /// # use fullduplex_net::Server;
    /// # fn with_health_check(server: Server) -> Server {
    /// server.with_fallback(|request| {
    ///     let is_health_check = request.uri().path() == "/health";
    ///     is_health_check.then(|| http::Response::new(Bytes::from_static(b"well\n")))
    /// })
    /// # }
    /// ```
    pub fn with_fallback(
        mut self,
        find: impl Fn(&http::Request<()>) -> Option<http::Response<Bytes>> + Send + Sync + 'static,
    ) -> Self {
        self.fallback = Some(Fallback::new(find));
        self
    }

    /// The address at which it listens, with the port that the system chose for port 0.
    ///
    /// # Errors
    /// What the system says; [`io::ErrorKind::Unsupported`] if it listens at a path.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        match &self.listener {
            Listener::Tcp(listener) => listener.local_addr(),
            #[cfg(unix)]
            Listener::Unix(_) => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    /// The server's connections: to count them, and to shut them down.
    pub fn connections(&self) -> &Connections {
        &self.connections
    }

    /// Runs `handler` for each client that asks for a WebSocket, in a task of its own, until
    /// [`Connections::shutdown`] has ended them all.
    ///
    /// The handler accepts or refuses the [`Request`], and uses the socket as [`Socket::drive`] tells.
    /// An error that it returns, or its panic, concerns nobody else.
    ///
    /// # Cancel safety
    /// Dropping the future stops listening; connections go on.
    ///
    /// [`Socket::drive`]: crate::socket::Socket::drive
    pub async fn serve<F>(self, handler: impl Fn(Request) -> F + Send + Sync + 'static)
    where
        F: Future<Output = Outcome> + Send + 'static,
    {
        let shared = Arc::clone(self.connections.shared());
        let host = Arc::new(Host {
            handler,
            tls: self.tls.as_ref().map(Identity::acceptor),
            fallback: self.fallback,
            turned_away: Arc::new(Semaphore::new(TURNED_AWAY)),
        });
        let mut can_accept = true;
        let mut closing = pin!(shared.until(Phase::Closing));
        loop {
            let accepted = tokio::select! {
                accepted = self.listener.accept() => accepted,
                () = &mut closing => break,
            };
            match accepted {
                Ok(accepted) => {
                    host.take(accepted, &shared);
                    can_accept = true;
                }
                Err(error) => {
                    // Once, and not again until it was better.
                    if std::mem::replace(&mut can_accept, false) {
                        tracing::warn!(%error, "no further client can be accepted");
                    }
                    sleep(ACCEPT_PAUSE).await;
                }
            }
        }
        drop(self.listener);
        tokio::select! {
            () = shared.until_empty() => {}
            () = shared.until(Phase::Cut) => {}
        }
    }
}

impl Listener {
    async fn accept(&self) -> io::Result<Accepted> {
        match self {
            Self::Tcp(listener) => {
                let (stream, peer) = listener.accept().await?;
                Ok(Accepted::Tcp(stream, peer))
            }
            #[cfg(unix)]
            Self::Unix(listener) => Ok(Accepted::Unix(listener.accept().await?.0)),
        }
    }
}

/// What each connection of a server needs.
struct Host<H> {
    handler: H,
    tls: Option<TlsAcceptor>,
    fallback: Option<Fallback>,
    turned_away: Arc<Semaphore>,
}

impl<H, F> Host<H>
where
    H: Fn(Request) -> F + Send + Sync + 'static,
    F: Future<Output = Outcome> + Send + 'static,
{
    /// Starts the task of a connection.
    fn take(self: &Arc<Self>, accepted: Accepted, server: &Arc<Shared>) {
        let peer = match &accepted {
            Accepted::Tcp(stream, peer) => {
                // A message is sent when it is sent. Not every transport can promise that.
                stream.set_nodelay(true).ok();
                Some(*peer)
            }
            #[cfg(unix)]
            Accepted::Unix(_) => None,
        };
        match server.admit(peer.map(|peer| peer.ip())) {
            Ok(guard) => {
                let opening =
                    session::open(accepted, self.tls.clone(), self.fallback.clone(), peer, guard);
                let host = Arc::clone(self);
                let handler = move |request| (host.handler)(request);
                let preparing = session::prepare(Arc::clone(server), opening, handler);
                session::spawn(
                    preparing,
                    tracing::debug_span!("connection", peer = peer.map(tracing::field::display)),
                );
            }
            Err(rejection) => {
                server.counters.count_refused(rejection.status());
                tracing::debug!(peer = peer.map(tracing::field::display), %rejection, "no room for a connection");
                self.turn_away(accepted, rejection);
            }
        }
    }

    /// Tells a client that there is no room for it. One that speaks TLS sees the end only.
    fn turn_away(&self, accepted: Accepted, rejection: Rejection) {
        if self.tls.is_none()
            && let Ok(permit) = Arc::clone(&self.turned_away).try_acquire_owned()
        {
            tokio::spawn(async move {
                timeout(TURNED_AWAY_TIME, reject(Transport::from(accepted), &rejection)).await.ok();
                drop(permit);
            });
        }
    }
}

impl From<Accepted> for Transport {
    fn from(accepted: Accepted) -> Self {
        match accepted {
            Accepted::Tcp(stream, _) => stream.into(),
            #[cfg(unix)]
            Accepted::Unix(stream) => stream.into(),
        }
    }
}
