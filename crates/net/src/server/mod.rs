pub(crate) mod accept;
pub(crate) mod connections;
pub(crate) mod deadline;
pub(crate) mod error;
pub(crate) mod exchange;
pub(crate) mod fallback;
pub(crate) mod group;
pub(crate) mod handler;
pub(crate) mod handshake;
#[cfg(feature = "http2")]
pub(crate) mod http2;
pub(crate) mod multiplexed;
pub(crate) mod open_files;
pub(crate) mod options;
pub(crate) mod per_core;
pub(crate) mod prefixed;
pub(crate) mod request;
pub(crate) mod session;

use std::fmt;
use std::future::{pending, poll_fn};
use std::io;
use std::net::{IpAddr, SocketAddr};
#[cfg(unix)]
use std::path::Path;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use fullduplex_proto::handshake::{Endpoint, Rejection};
use futures_core::Stream;
use http::Method;
#[cfg(unix)]
use tokio::net::UnixListener;
use tokio::net::{TcpListener, ToSocketAddrs};
use tokio::sync::Semaphore;
use tokio::task::yield_now;
use tokio::time::{sleep, timeout};
use tracing::{Instrument, Span};

use crate::http1::read::OpeningError;
use crate::pool::guard::ConnectionGuard;
use crate::pool::{Phase, Pool};
use crate::server::connections::Connections;
use crate::server::deadline::Deadline;
use crate::server::exchange::{Certificates, Exchange};
use crate::server::fallback::Fallback;
use crate::server::handler::IntoHandlerResult;
use crate::server::multiplexed::{Multiplexed, OnRequest, Spoken};
use crate::server::options::ServerOptions;
use crate::server::request::{ClientInfo, Request};
use crate::server::session::Opening;
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
    multiplexed: Option<Arc<dyn Multiplexed>>,
    connections: Connections,
}

enum Listener {
    Tcp(TcpListener),
    #[cfg(unix)]
    Unix(UnixListener),
    Streams(Pin<Box<dyn Stream<Item = io::Result<Transport>> + Send>>),
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

    /// Serves streams that another program or library has accepted, such as virtual sockets, or streams in memory.
    /// `streams` yields the clients, and [`Transport::other`] wraps each. An error counts as one of `accept`: the server
    /// tries again. After the last client, the server serves those that are connected until it is shut down.
    ///
    /// The clients have no address, so the limits for each address do not apply. [`Server::with_tls`] has no effect.
    /// [`Server::serve_per_core`] serves TCP and Unix sockets only.
    pub fn from_streams(
        streams: impl Stream<Item = io::Result<Transport>> + Send + 'static,
        options: ServerOptions,
    ) -> Self {
        Self::new(Listener::Streams(Box::pin(streams)), options)
    }

    fn new(listener: Listener, options: ServerOptions) -> Self {
        let connections = Connections::new(options);
        Self { listener, tls: None, fallback: None, multiplexed: None, connections }
    }

    /// Uses TLS for clients that connect over TCP.
    pub fn with_tls(mut self, identity: &Identity) -> Self {
        self.tls = Some(identity.clone());
        self
    }

    /// Also speaks another protocol.
    #[cfg_attr(not(feature = "http2"), expect(dead_code, reason = "only HTTP/2 uses it"))]
    fn with_multiplexed(mut self, protocol: Arc<dyn Multiplexed>) -> Self {
        self.multiplexed = Some(protocol);
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
    /// The error of the system; [`io::ErrorKind::Unsupported`] if the server does not listen over TCP.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        match &self.listener {
            Listener::Tcp(listener) => listener.local_addr(),
            #[cfg(unix)]
            Listener::Unix(_) => Err(io::ErrorKind::Unsupported.into()),
            Listener::Streams(_) => Err(io::ErrorKind::Unsupported.into()),
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
    /// If the future of the handler is not [`Send`], use [`serve_per_core`](Self::serve_per_core).
    ///
    /// # Cancel safety
    /// Dropping the future stops listening. Open connections continue.
    ///
    /// [`Socket::drive`]: crate::Socket::drive
    pub async fn serve<F>(self, handler: impl Fn(Request) -> F + Send + Sync + 'static)
    where
        F: Future<Output: IntoHandlerResult> + Send + 'static,
    {
        let (pool, handler) = (Arc::clone(self.connections.pool()), Arc::new(handler));
        let (mut listener, host) = self.into_host(move |opening, span| {
            let preparing = session::prepare(Arc::clone(&pool), opening, Arc::clone(&handler));
            session::spawn(preparing, span);
        });
        listener.accept_until_closing(&host, |client| host.start(client)).await;
        drop(listener);
        finish(host.connections.pool()).await;
    }

    fn into_host(
        self,
        start_session: impl Fn(Opening, Span) + Send + Sync + 'static,
    ) -> (Listener, Arc<Host>) {
        let address = self.local_addr().ok().map(|address| address.ip());
        let preferred = self.multiplexed.as_ref().map(|protocol| protocol.alpn());
        let host = Arc::new(Host {
            start_session: Box::new(start_session),
            tls: self.tls.as_ref().map(|identity| identity.acceptor(preferred)),
            address,
            fallback: self.fallback,
            multiplexed: self.multiplexed,
            connections: self.connections,
            refusals: Arc::new(Semaphore::new(max_refusals())),
        });
        (self.listener, host)
    }
}

/// Waits until all handlers have ended, or until they are cut off.
async fn finish(pool: &Pool) {
    tokio::select! {
        biased;
        () = pool.until_empty() => {}
        () = pool.until(Phase::Cut) => {}
    }
}

/// Returns the maximum number of refusals that are sent at the same time. Each refusal uses one of the
/// reserved file descriptors.
fn max_refusals() -> usize {
    open_files::limit()
        .map_or(TURNED_AWAY, |limit| (open_files::reserve(limit) / 2).clamp(1, TURNED_AWAY))
}

impl Listener {
    async fn accept(&mut self) -> io::Result<(Transport, Option<SocketAddr>)> {
        match self {
            Self::Tcp(listener) => {
                let (stream, peer) = listener.accept().await?;
                Ok((stream.into(), Some(peer)))
            }
            #[cfg(unix)]
            Self::Unix(listener) => Ok((listener.accept().await?.0.into(), None)),
            Self::Streams(streams) => match poll_fn(|cx| streams.as_mut().poll_next(cx)).await {
                Some(stream) => Ok((stream?, None)),
                None => pending().await,
            },
        }
    }

    /// Passes each client that gets a place to `start`, until the server is closing.
    async fn accept_until_closing(&mut self, host: &Host, mut start: impl FnMut(Client)) {
        let mut can_accept = true;
        let mut closing = pin!(host.connections.pool().until(Phase::Closing));
        loop {
            let accepted = tokio::select! {
                biased;
                () = &mut closing => return,
                accepted = self.accept() => accepted,
            };
            match accepted {
                Ok((transport, peer)) => {
                    if let Some(client) = host.admit(transport, peer) {
                        start(client);
                    }
                    can_accept = true;
                }
                // Streams that an application accepts may fail without waiting.
                Err(error) if is_lost_client(&error) => yield_now().await,
                Err(error) => {
                    // Only the first of several consecutive errors is logged.
                    if std::mem::replace(&mut can_accept, false) {
                        tracing::warn!(%error, "could not accept a client; trying again");
                    }
                    sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }
}

/// Returns whether `accept` failed because a client was gone before it was accepted. Windows reports such clients; other
/// clients must not wait for them.
fn is_lost_client(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, NotConnected};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | NotConnected)
}

/// A client that has connected and has a place.
struct Client<T = Transport> {
    transport: T,
    peer: Option<SocketAddr>,
    guard: ConnectionGuard,
}

/// The state that all connections of a server share.
struct Host {
    /// Starts the task of a client, in a thread that may run its handler.
    start_session: Box<dyn Fn(Opening, Span) + Send + Sync>,
    tls: Option<tls::Acceptor>,
    /// The address at which the server listens, unless that is a path.
    address: Option<IpAddr>,
    fallback: Option<Fallback>,
    multiplexed: Option<Arc<dyn Multiplexed>>,
    connections: Connections,
    refusals: Arc<Semaphore>,
}

impl Host {
    /// Gives a client a place, or refuses it.
    fn admit(&self, transport: Transport, peer: Option<SocketAddr>) -> Option<Client> {
        match self.connections.admit(peer.map(|peer| peer.ip())) {
            Ok(guard) => Some(Client { transport, peer, guard }),
            // A client that expects TLS cannot read a response.
            Err(rejection) => {
                let exchange = self.tls.is_none().then(|| Exchange::http1(transport));
                self.refuse(exchange, rejection, peer);
                None
            }
        }
    }

    /// Starts the task of a client.
    fn start(self: &Arc<Self>, Client { transport, peer, guard }: Client) {
        // TLS is only used over TCP. A client of a Unix socket has no address.
        let tls = self.tls.clone().filter(|_| peer.is_some());
        let client = self.client_info(peer, guard);
        match &self.multiplexed {
            None => {
                let opening = session::open(transport, tls, &self.connections, client);
                (self.start_session)(opening, span(peer));
            }
            Some(protocol) => {
                let task = Arc::clone(self).arrive(transport, tls, client, Arc::clone(protocol));
                tokio::spawn(task.instrument(span(peer)));
            }
        }
    }

    /// Finds out what a client speaks, and serves it.
    async fn arrive(
        self: Arc<Self>,
        transport: Transport,
        tls: Option<tls::Acceptor>,
        client: ClientInfo,
        protocol: Arc<dyn Multiplexed>,
    ) {
        let (pool, peer) = (Arc::clone(self.connections.pool()), client.peer);
        let deadline = Deadline::after(self.connections.shared_options().options.handshake_timeout);
        let detecting = deadline.limit(Spoken::detect(transport, tls, &*protocol));
        let detected = tokio::select! {
            biased;
            () = pool.until(Phase::Closing) => Err(OpeningError::Ended.into()),
            detected = detecting => detected.and_then(|detected| detected),
        };
        match detected {
            Ok(Spoken::Http1(transport, input)) => {
                let opening = session::read(deadline, transport, input, &self.connections, client);
                (self.start_session)(opening, span(peer));
            }
            Ok(Spoken::Multiplexed(transport)) => {
                let certificates = transport.client_certificates().map(<[u8]>::to_vec).collect();
                let on_request = self.on_request(peer, certificates);
                protocol.serve(transport, deadline, pool, on_request).await;
            }
            Err(error) => session::report_unopened(&pool.counters, &error),
        }
    }

    /// Returns the function that serves the requests of a connection.
    fn on_request(
        self: Arc<Self>,
        peer: Option<SocketAddr>,
        certificates: Certificates,
    ) -> OnRequest {
        Box::new(move |head, respond| {
            let certificates = Arc::clone(&certificates);
            let exchange = Exchange::Multiplexed { respond, certificates };
            match self.connections.admit(peer.map(|peer| peer.ip())) {
                Ok(guard) => {
                    let client = self.client_info(peer, guard);
                    let opening = session::answer(exchange, head, &self.connections, client);
                    (self.start_session)(opening, span(peer));
                }
                Err(rejection) => self.refuse(Some(exchange), rejection, peer),
            }
        })
    }

    fn client_info(&self, peer: Option<SocketAddr>, guard: ConnectionGuard) -> ClientInfo {
        let is_tls = self.tls.is_some() && peer.is_some();
        let endpoint = Endpoint { address: self.address, is_tls };
        ClientInfo { peer, guard: Some(guard), fallback: self.fallback.clone(), endpoint }
    }

    /// Refuses a client that gets no place. Without an exchange, or if too many clients are being refused, the
    /// client gets no response.
    fn refuse(
        &self,
        exchange: Option<Exchange<Transport>>,
        rejection: Rejection,
        peer: Option<SocketAddr>,
    ) {
        self.connections.pool().counters.count_refused(rejection.status());
        let peer = peer.map(tracing::field::display);
        tracing::debug!(peer, %rejection, "client turned away");
        if let Some(exchange) = exchange
            && let Ok(permit) = Arc::clone(&self.refusals).try_acquire_owned()
        {
            tokio::spawn(async move {
                let refusal = exchange.reject(&rejection, &Method::GET);
                timeout(TURNED_AWAY_TIME, refusal).await.ok();
                drop(permit);
            });
        }
    }
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(listener) => listener.fmt(f),
            #[cfg(unix)]
            Self::Unix(listener) => listener.fmt(f),
            Self::Streams(_) => f.write_str("Streams"),
        }
    }
}

fn span(peer: Option<SocketAddr>) -> Span {
    tracing::debug_span!("connection", peer = peer.map(tracing::field::display))
}
