#[cfg(feature = "axum")]
pub(crate) mod axum;

use std::future::Future;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::BytesMut;
use fullduplex_proto::handshake::{
    Rejection, ReservedHeaderError, Subprotocol, SubprotocolNotOfferedError, Subprotocols,
};
use http::{HeaderName, HeaderValue, Response, StatusCode};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use hyper_util::server::conn::auto;
use tokio::net::TcpStream;

use crate::http1::read::OpeningError;
use crate::server::accept::AcceptError;
use crate::server::connections::Connections;
use crate::server::connections::{Phase, Shared};
use crate::server::guard::ConnectionGuard;
use crate::server::handshake::Handshake;
use crate::server::session;
use crate::server::task::HandlerTask;
use crate::server::task::Outcome;
use crate::socket::Socket;
use crate::socket::alarm::Alarm;
use crate::time::Time;
use crate::transport::Transport;

/// A client of an HTTP server that asks for a WebSocket: [`on_upgrade`](Self::on_upgrade) makes the
/// response that opens it, and runs a handler for it as a [`Server`](crate::server::Server) does.
///
/// It is made of a request that hyper has read, so it suits every service whose requests come from
/// hyper: one of hyper itself, of tower, or of a framework above them. In a handler of axum it is an
/// extractor, with the feature `axum`. hyper's connection must be served with upgrades.
///
/// # Example
///
/// ```
/// use std::convert::Infallible;
///
/// use fullduplex_net::{Connections, ServerOptions, WebSocketUpgrade};
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
///             Ok(())
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
    member: ConnectionGuard,
    upgraded: OnUpgrade,
}

impl WebSocketUpgrade {
    /// Checks that the request asks for a WebSocket, that its origin is welcome, and that there is room
    /// for one more connection.
    ///
    /// # Errors
    /// The [`Rejection`], whose response is the answer: it also ends the HTTP connection, so that nothing
    /// that the client sent besides is taken for another request.
    pub fn new<B>(
        request: &mut http::Request<B>,
        connections: &Connections,
    ) -> Result<Self, Rejection> {
        let server = connections.shared();
        let begun = server.admit(None).and_then(|member| {
            let handshake = Handshake::begin(request, &server.terms)?;
            let upgraded = request.extensions_mut().remove().ok_or_else(|| {
                let reason = "this HTTP server does not let its connections be upgraded";
                Rejection::new(StatusCode::INTERNAL_SERVER_ERROR, reason)
            })?;
            Ok(Self { handshake, member, upgraded })
        });
        begun.inspect_err(|rejection| count_refused(server, rejection))
    }

    /// Counts the connection among those of `address`, of which
    /// [`ServerOptions::connections_per_address`](crate::server::connections::ServerOptions) may be open; whose address that
    /// is, a server behind a proxy knows better than its transport. Without this call the connection
    /// counts for no address.
    ///
    /// # Errors
    /// The [`Rejection`] to answer with, if there are too many.
    pub fn with_address(mut self, address: IpAddr) -> Result<Self, Rejection> {
        let counted = self.member.count_for(address);
        counted.inspect_err(|rejection| count_refused(self.member.server(), rejection))?;
        Ok(self)
    }

    /// The subprotocols that the client offers, in its order of preference.
    pub fn subprotocols(&self) -> &Subprotocols {
        self.handshake.offer().subprotocols()
    }

    /// Chooses a subprotocol, instead of the first that is among
    /// [`AcceptOptions::subprotocols`](crate::server::accept::AcceptOptions).
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
    /// [`ReservedHeaderError`] if the header is the handshake's own.
    pub fn with_header(
        mut self,
        name: HeaderName,
        value: HeaderValue,
    ) -> Result<Self, ReservedHeaderError> {
        self.handshake.add_header(name, value)?;
        Ok(self)
    }

    /// The response that opens the connection, with an empty body. As soon as hyper has sent it,
    /// `handler` runs in a task of its own, with the socket, as [`Socket::drive`] tells.
    ///
    /// To decide otherwise, call [`reject`](Self::reject) instead: hyper keeps an upgrade for which another
    /// response was sent, and gives the connection up at its end, so that the handler runs too late.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn on_upgrade<F, B: Default>(
        self,
        handler: impl FnOnce(Socket) -> F + Send + 'static,
    ) -> Response<B>
    where
        F: Future<Output = Outcome> + Send + 'static,
    {
        let Self { handshake, member, upgraded } = self;
        let server = Arc::clone(member.server());
        let time = Time::starting_now(server.terms.options.handshake_timeout);
        let (response, connection, answer) = handshake.accept();
        let preparing = Box::pin(async move {
            let opened = tokio::select! {
                opened = finish(upgraded, time) => opened,
                () = server.until(Phase::Cut) => return None,
            };
            let (transport, input) = match opened {
                Ok(upgraded) => take_apart(upgraded),
                Err(error) => {
                    session::note_unopened(&server, &error);
                    return None;
                }
            };
            server.counters.opened.fetch_add(1, Ordering::Relaxed);
            let alarm = Alarm::Server(member);
            let socket = Socket::new(transport, connection, input, answer, alarm);
            let shared = Arc::clone(socket.shared());
            Some(HandlerTask::new(shared, Box::pin(handler(socket))))
        });
        session::spawn(preparing, tracing::debug_span!("connection"));
        response.map(|()| B::default())
    }

    /// The response that opens nothing, because the application decides so.
    pub fn reject<B: From<String>>(self, rejection: &Rejection) -> Response<B> {
        count_refused(self.member.server(), rejection);
        rejection.to_response().map(B::from)
    }
}

fn count_refused(server: &Shared, rejection: &Rejection) {
    server.counters.count_refused(rejection.status());
}

/// Waits until hyper has sent the response and gives the connection up.
async fn finish(upgraded: OnUpgrade, time: Time) -> Result<Upgraded, AcceptError> {
    let upgraded = time.limit(upgraded).await?;
    Ok(upgraded.map_err(|error| OpeningError::Io(io::Error::other(error)))?)
}

/// The transport, and what was read behind the request: TCP as such where it can be had, which is
/// smaller and faster than what hyper makes of it.
fn take_apart(upgraded: Upgraded) -> (Transport, BytesMut) {
    let tcp = match upgraded.downcast::<TokioIo<TcpStream>>() {
        Ok(parts) => Ok((parts.io, parts.read_buf)),
        // As axum serves it.
        Err(upgraded) => auto::upgrade::downcast::<TokioIo<TcpStream>>(upgraded)
            .map(|parts| (parts.io, parts.read_buf)),
    };
    match tcp {
        Ok((stream, read)) => {
            let stream = stream.into_inner();
            // A message is sent when it is sent. Not every transport can promise that.
            stream.set_nodelay(true).ok();
            (stream.into(), BytesMut::from(&read[..]))
        }
        Err(upgraded) => (Transport::other(TokioIo::new(upgraded)), BytesMut::new()),
    }
}
