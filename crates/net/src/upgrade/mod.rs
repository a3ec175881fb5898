#[cfg(feature = "axum")]
pub(crate) mod axum;
#[cfg(feature = "http2")]
mod http2;

use std::io;
use std::net::IpAddr;
use std::sync::Arc;

use bytes::BytesMut;
use fullduplex_proto::handshake::{
    Endpoint, Rejection, ReservedHeaderError, Subprotocol, SubprotocolNotOfferedError, Subprotocols,
};
use http::{HeaderName, HeaderValue, Response, StatusCode};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use hyper_util::server::conn::auto;
use tokio::net::TcpStream;

use crate::http1::read::OpeningError;
use crate::pool::Phase;
use crate::pool::guard::ConnectionGuard;
use crate::server::connections::{Connections, rejection};
use crate::server::deadline::Deadline;
use crate::server::error::AcceptError;
use crate::server::handler::{HandlerTask, IntoHandlerResult};
use crate::server::handshake::Handshake;
use crate::server::session;
use crate::socket::Socket;
use crate::transport::Transport;

/// An opening request to an HTTP server. [`on_upgrade`](Self::on_upgrade) returns the response that accepts it,
/// and runs a handler as a [`Server`](crate::Server) does.
///
/// It is created from a request that hyper has read, so it works in any service on hyper, such as one of
/// tower. In axum it is an extractor, with the feature `axum`. hyper must serve the connection with upgrades.
///
/// With the feature `http2`, requests over HTTP/2 work too (RFC 8441). The HTTP server must call hyper's
/// `enable_connect_protocol`, and route the method CONNECT as it routes GET.
///
/// # Example
///
/// ```
/// use std::convert::Infallible;
///
/// use fullduplex_net::{Connections, HandlerResult, ServerOptions, WebSocketUpgrade};
/// use http_body_util::Full;
/// use hyper::body::{Bytes, Incoming};
/// use hyper::service::service_fn;
/// use hyper::{Request, Response};
/// # use hyper_util::rt::TokioIo;
///
/// async fn echo(
///     mut request: Request<Incoming>,
///     connections: &Connections,
/// ) -> Result<Response<Full<Bytes>>, Infallible> {
///     Ok(match WebSocketUpgrade::new(&mut request, connections) {
///         Ok(upgrade) => upgrade.on_upgrade(|mut socket| async move {
///             while let Some(message) = socket.recv().await? {
///                 socket.send(message).await?;
///             }
///             HandlerResult::Ok(())
///         }),
///         Err(rejection) => rejection.to_response().map(Full::from),
///     })
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
/// # let url = fullduplex_net::proto::Url::parse(&format!("ws://{}/", listener.local_addr()?))?;
/// # tokio::spawn(async move {
/// let connections = Connections::new(ServerOptions::default());
/// # let (stream, _) = listener.accept().await.expect("a client connects");
/// let service = service_fn(|request| echo(request, &connections));
/// hyper::server::conn::http1::Builder::new()
///     .serve_connection(TokioIo::new(stream), service)
///     .with_upgrades()
///     .await
/// # });
/// # let (mut socket, _) = fullduplex_net::connect(&url, &Default::default()).await?;
/// # socket.send("hello").await?;
/// # assert_eq!(socket.recv().await?, Some("hello".into()));
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct WebSocketUpgrade {
    handshake: Handshake,
    guard: ConnectionGuard,
    upgraded: OnUpgrade,
    connections: Connections,
}

impl WebSocketUpgrade {
    /// Checks that the request is a valid opening request, that its host and its origin are allowed, and that
    /// a place is free for one more connection.
    ///
    /// This function does not know the address at which hyper listens. If it is a loopback address, set
    /// [`AcceptOptions::hosts`](crate::AcceptOptions::hosts) to
    /// [`HostPolicy::Local`](crate::proto::handshake::HostPolicy::Local), and check the host of other requests of the
    /// HTTP server with [`HostPolicy::check`](crate::proto::handshake::HostPolicy::check) as well.
    ///
    /// # Errors
    /// The [`Rejection`] to answer with. Its response also closes the HTTP connection, so that hyper does not
    /// parse bytes after the request as another request.
    pub fn new<B>(
        request: &mut http::Request<B>,
        connections: &Connections,
    ) -> Result<Self, Rejection> {
        #[cfg(feature = "http2")]
        http2::prepare(request);
        let begun = connections.admit(None).and_then(|guard| {
            let (shared_options, endpoint) = (connections.shared_options(), Endpoint::default());
            shared_options.options.hosts.check(request, endpoint)?;
            let handshake = Handshake::begin(request, shared_options, endpoint)?;
            let upgraded = request.extensions_mut().remove().ok_or_else(|| {
                let reason = "this HTTP server does not serve its connections with upgrades";
                Rejection::new(StatusCode::INTERNAL_SERVER_ERROR, reason)
            })?;
            Ok(Self { handshake, guard, upgraded, connections: connections.clone() })
        });
        begun.inspect_err(|rejection| count_refused(connections, rejection))
    }

    /// Counts the connection for `address`; see
    /// [`ServerOptions::connections_per_address`](crate::ServerOptions::connections_per_address). Behind a proxy, pass
    /// the client's address that the proxy reports. Without this call, the connection counts for no address.
    ///
    /// # Errors
    /// The [`Rejection`] to answer with, if the address has too many connections.
    pub fn with_address(mut self, address: IpAddr) -> Result<Self, Rejection> {
        let counted = self.guard.count_for(address).map_err(rejection);
        counted.inspect_err(|rejection| count_refused(&self.connections, rejection))?;
        Ok(self)
    }

    /// Returns the subprotocols that the client offers, in its order of preference.
    pub fn subprotocols(&self) -> &Subprotocols {
        self.handshake.offer().subprotocols()
    }

    /// Chooses a subprotocol. Without this call, the server chooses the first of the client's offers that is
    /// in [`AcceptOptions::subprotocols`](crate::AcceptOptions::subprotocols).
    ///
    /// # Errors
    /// [`SubprotocolNotOfferedError`] if the client did not offer it.
    pub fn with_subprotocol(
        mut self,
        chosen: Subprotocol,
    ) -> Result<Self, SubprotocolNotOfferedError> {
        self.handshake.choose(chosen)?;
        Ok(self)
    }

    /// Adds a header to the response.
    ///
    /// # Errors
    /// [`ReservedHeaderError`] if the handshake sets the header itself.
    pub fn with_header(
        mut self,
        name: HeaderName,
        value: HeaderValue,
    ) -> Result<Self, ReservedHeaderError> {
        self.handshake.add_header(name, value)?;
        Ok(self)
    }

    /// Returns the response that opens the connection, with an empty body. When hyper has sent the response,
    /// `handler` runs in a separate task. [`Socket::drive`] documents how the handler uses the socket, and
    /// what happens at the end of a connection.
    ///
    /// To refuse the client, return the response of [`reject`](Self::reject) instead. After any other response,
    /// hyper keeps the connection open and reads what follows as another request.
    ///
    /// The body can have any type, so that every HTTP server can use this method. In axum, let the handler return
    /// `Response`: with `impl IntoResponse`, the compiler cannot infer the type of the body.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn on_upgrade<F, B: Default>(
        self,
        handler: impl FnOnce(Socket) -> F + Send + 'static,
    ) -> Response<B>
    where
        F: Future<Output: IntoHandlerResult> + Send + 'static,
    {
        let Self { handshake, guard, upgraded, connections } = self;
        let pool = Arc::clone(connections.pool());
        let deadline = Deadline::after(connections.shared_options().options.handshake_timeout);
        let response = handshake.response();
        let (connection, answer) = handshake.accept();
        let preparing = async move {
            let opened = tokio::select! {
                opened = finish(upgraded, deadline) => opened,
                () = pool.until(Phase::Cut) => return None,
            };
            let (transport, input) = match opened {
                Ok(upgraded) => take_apart(upgraded),
                Err(error) => {
                    session::report_unopened(&pool.counters, &error);
                    return None;
                }
            };
            pool.counters.count_opened();
            let socket = Socket::new(transport, connection, input, answer, Some(guard));
            Some(HandlerTask::start(socket, handler))
        };
        session::spawn(preparing, tracing::debug_span!("connection"));
        response.map(|()| B::default())
    }

    /// Returns the response that refuses the client and closes the HTTP connection.
    pub fn reject<B: From<String>>(self, rejection: &Rejection) -> Response<B> {
        count_refused(&self.connections, rejection);
        rejection.to_response().map(B::from)
    }
}

fn count_refused(connections: &Connections, rejection: &Rejection) {
    connections.pool().counters.count_refused(rejection.status());
}

/// Waits until hyper has sent the response, and returns the upgraded connection.
async fn finish(upgraded: OnUpgrade, deadline: Deadline) -> Result<Upgraded, AcceptError> {
    let upgraded = deadline.limit(upgraded).await?;
    Ok(upgraded.map_err(|error| OpeningError::Io(io::Error::other(error)))?)
}

/// Returns the transport, and the bytes that hyper read after the request. A TCP stream is unwrapped if
/// possible, which saves memory and time.
fn take_apart(upgraded: Upgraded) -> (Transport, BytesMut) {
    let tcp = match upgraded.downcast::<TokioIo<TcpStream>>() {
        Ok(parts) => Ok((parts.io, parts.read_buf)),
        // The connection was served by `hyper_util::server::conn::auto`, which axum uses.
        Err(upgraded) => auto::upgrade::downcast::<TokioIo<TcpStream>>(upgraded)
            .map(|parts| (parts.io, parts.read_buf)),
    };
    match tcp {
        Ok((stream, read)) => (stream.into_inner().into(), BytesMut::from(&read[..])),
        Err(upgraded) => (Transport::other(TokioIo::new(upgraded)), BytesMut::new()),
    }
}
