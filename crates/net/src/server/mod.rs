pub(crate) mod accept;
pub(crate) mod connections;
pub(crate) mod deadline;
pub(crate) mod error;
pub(crate) mod fallback;
pub(crate) mod group;
pub(crate) mod handler;
pub(crate) mod handshake;
pub(crate) mod open_files;
pub(crate) mod options;
pub(crate) mod request;
pub(crate) mod session;

use std::io;
use std::net::{IpAddr, SocketAddr};
#[cfg(unix)]
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use fullduplex_proto::handshake::{Endpoint, Rejection};
use http::Method;
#[cfg(unix)]
use tokio::net::UnixListener;
use tokio::net::{TcpListener, ToSocketAddrs};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

use crate::pool::Phase;
use crate::server::connections::Connections;
use crate::server::fallback::Fallback;
use crate::server::handler::IntoHandlerResult;
use crate::server::options::ServerOptions;
use crate::server::request::{ClientInfo, Request, reject};
use crate::tls::{self, Identity};
use crate::transport::Transport;

/// The pause after `accept` failed, for example because the process has no free file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The time limit for sending a refusal to a client that gets no place.
const TURNED_AWAY_TIME: Duration = Duration::from_secs(1);
const TURNED_AWAY: usize = 64;

/// Listens for clients, and runs a handler for each.
///
/// ```no_run
/// use fullduplex_net::{HandlerResult, Server, ServerOptions};
///
/// # async fn example() -> std::io::Result<()> {
/// let server = Server::bind("127.0.0.1:8080", ServerOptions::default()).await?;
/// server
///     .serve(|request| async move {
///         let mut socket = request.accept().await?;
///         while let Some(message) = socket.recv().await? {
///             socket.send(message).await?;
///         }
///         HandlerResult::Ok(())
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

impl Server {
    /// Listens at a TCP address.
    ///
    /// # Errors
    /// The error of the system, for example if the address is in use.
    pub async fn bind(address: impl ToSocketAddrs, options: ServerOptions) -> io::Result<Self> {
        Ok(Self::new(Listener::Tcp(TcpListener::bind(address).await?), options))
    }

    /// Listens at a Unix socket path, which must not exist yet.
    ///
    /// # Errors
    /// The error of the system, for example if the path exists.
    #[cfg(unix)]
    pub fn bind_unix(path: impl AsRef<Path>, options: ServerOptions) -> io::Result<Self> {
        Ok(Self::new(Listener::Unix(UnixListener::bind(path)?), options))
    }

    /// Uses a listener that was bound before.
    pub fn from_listener(listener: TcpListener, options: ServerOptions) -> Self {
        Self::new(Listener::Tcp(listener), options)
    }

    fn new(listener: Listener, options: ServerOptions) -> Self {
        Self { listener, tls: None, fallback: None, connections: Connections::new(options) }
    }

    /// Uses TLS for clients that connect over TCP.
    pub fn with_tls(mut self, identity: &Identity) -> Self {
        self.tls = Some(identity.clone());
        self
    }

    /// Answers requests without an upgrade, such as a browser's request for a page or a load balancer's health check.
    /// If `find` returns `None`, the response is an error that explains how to open a WebSocket.
    ///
    /// `find` receives requests with GET, HEAD and OPTIONS, of any origin, and also over HTTP/1.0, if
    /// [`AcceptOptions::hosts`](crate::AcceptOptions::hosts) allows their host. Other methods are answered with 405.
    /// The response to HEAD is sent without its body. Each response closes the connection. For anything more, use an
    /// HTTP server and `WebSocketUpgrade`.
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

    /// Returns the address at which the server listens, with the port that the system chose for port 0.
    ///
    /// # Errors
    /// The error of the system; [`io::ErrorKind::Unsupported`] if the server listens at a path.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        match &self.listener {
            Listener::Tcp(listener) => listener.local_addr(),
            #[cfg(unix)]
            Listener::Unix(_) => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    /// Returns the connections of the server, to count them and to shut them down.
    pub fn connections(&self) -> &Connections {
        &self.connections
    }

    /// Runs `handler` for each client that asks for a WebSocket, in a separate task for each client. Returns
    /// after [`Connections::shutdown`], when all handlers have ended.
    ///
    /// On a loopback address, requests for hosts other than `localhost` and IP addresses are answered with 421; see
    /// [`AcceptOptions::hosts`](crate::AcceptOptions::hosts).
    ///
    /// The handler accepts or rejects the [`Request`]. [`Socket::drive`] documents how the handler uses the
    /// socket, and what happens at the end of a connection. An error or a panic of one handler does not
    /// affect the other handlers.
    ///
    /// # Cancel safety
    /// Dropping the future stops listening. Open connections continue.
    ///
    /// [`Socket::drive`]: crate::Socket::drive
    pub async fn serve<F>(self, handler: impl Fn(Request) -> F + Send + Sync + 'static)
    where
        F: Future<Output: IntoHandlerResult> + Send + 'static,
    {
        let pool = Arc::clone(self.connections.pool());
        let address = self.local_addr().ok().map(|address| address.ip());
        let host = Arc::new(Host {
            handler,
            tls: self.tls.as_ref().map(Identity::acceptor),
            address,
            fallback: self.fallback,
            connections: self.connections,
            refusals: Arc::new(Semaphore::new(max_refusals())),
        });
        let mut can_accept = true;
        let mut closing = pin!(pool.until(Phase::Closing));
        loop {
            let accepted = tokio::select! {
                accepted = self.listener.accept() => accepted,
                () = &mut closing => break,
            };
            match accepted {
                Ok((transport, peer)) => {
                    host.start(transport, peer);
                    can_accept = true;
                }
                Err(error) => {
                    // Only the first of several consecutive errors is logged.
                    if std::mem::replace(&mut can_accept, false) {
                        tracing::warn!(%error, "could not accept a client; trying again");
                    }
                    sleep(ACCEPT_PAUSE).await;
                }
            }
        }
        drop(self.listener);
        tokio::select! {
            () = pool.until_empty() => {}
            () = pool.until(Phase::Cut) => {}
        }
    }
}

/// Returns the maximum number of refusals that are sent at the same time. Each refusal uses one of the
/// reserved file descriptors.
fn max_refusals() -> usize {
    open_files::limit()
        .map_or(TURNED_AWAY, |limit| (open_files::reserve(limit) / 2).clamp(1, TURNED_AWAY))
}

impl Listener {
    async fn accept(&self) -> io::Result<(Transport, Option<SocketAddr>)> {
        match self {
            Self::Tcp(listener) => {
                let (stream, peer) = listener.accept().await?;
                Ok((stream.into(), Some(peer)))
            }
            #[cfg(unix)]
            Self::Unix(listener) => Ok((listener.accept().await?.0.into(), None)),
        }
    }
}

/// The state that all connections of a server share.
struct Host<H> {
    handler: H,
    tls: Option<tls::Acceptor>,
    /// The address at which the server listens, unless that is a path.
    address: Option<IpAddr>,
    fallback: Option<Fallback>,
    connections: Connections,
    refusals: Arc<Semaphore>,
}

impl<H, F> Host<H>
where
    H: Fn(Request) -> F + Send + Sync + 'static,
    F: Future<Output: IntoHandlerResult> + Send + 'static,
{
    /// Starts the task of a client.
    fn start(self: &Arc<Self>, transport: Transport, peer: Option<SocketAddr>) {
        let shown = peer.map(tracing::field::display);
        match self.connections.admit(peer.map(|peer| peer.ip())) {
            Ok(guard) => {
                // TLS is only used over TCP. A client of a Unix socket has no address.
                let tls = self.tls.clone().filter(|_| peer.is_some());
                let fallback = self.fallback.clone();
                let endpoint = Endpoint { address: self.address, is_tls: tls.is_some() };
                let client = ClientInfo { peer, guard: Some(guard), fallback, endpoint };
                let opening = session::open(transport, tls, &self.connections, client);
                let host = Arc::clone(self);
                let handler = move |request| (host.handler)(request);
                let preparing = session::prepare(self.connections.clone(), opening, handler);
                session::spawn(preparing, tracing::debug_span!("connection", peer = shown));
            }
            Err(rejection) => {
                self.connections.pool().counters.count_refused(rejection.status());
                tracing::debug!(peer = shown, %rejection, "client turned away");
                self.refuse(transport, rejection);
            }
        }
    }

    /// Sends a refusal to a client that gets no place. If the server uses TLS, the connection is closed
    /// without a response.
    fn refuse(&self, transport: Transport, rejection: Rejection) {
        if self.tls.is_none()
            && let Ok(permit) = Arc::clone(&self.refusals).try_acquire_owned()
        {
            tokio::spawn(async move {
                let refusal = reject(transport, &rejection, &Method::GET);
                timeout(TURNED_AWAY_TIME, refusal).await.ok();
                drop(permit);
            });
        }
    }
}
