use std::net::SocketAddr;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use fullduplex_proto::Limits;
use fullduplex_proto::handshake::head::HeadReader;
use fullduplex_proto::handshake::{
    Endpoint, Rejection, ReservedHeaderError, Subprotocol, SubprotocolNotOfferedError, Subprotocols,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, Uri};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::oneshot;

use crate::http1::read::{OpeningError, read_head};
use crate::pool::Phase;
use crate::pool::guard::ConnectionGuard;
use crate::server::deadline::Deadline;
use crate::server::error::AcceptError;
use crate::server::exchange::Exchange;
use crate::server::fallback::Fallback;
use crate::server::handshake::{Handshake, SharedOptions};
use crate::server::options::AcceptOptions;
use crate::socket::Socket;
use crate::socket::shared::Shared;
use crate::transport::Transport;

/// An opening request that is not answered yet. [`accept`](Self::accept) or [`reject`](Self::reject) it.
///
/// Until then, nothing more is read, and no deadline applies. Dropping a request closes its stream. In a
/// handler of a [`Server`](crate::Server), the client is first answered with 500.
#[derive(Debug)]
pub struct Request<S: AsyncRead + AsyncWrite + Unpin = Transport> {
    /// `None` once it is answered.
    pending: Option<Box<Pending<S>>>,
}

#[derive(Debug)]
pub(crate) struct Pending<S> {
    exchange: Exchange<S>,
    head: http::Request<()>,
    handshake: Handshake,
    shared_options: SharedOptions,
    peer: Option<SocketAddr>,
    guard: Option<ConnectionGuard>,
    /// The channel to the task that runs the handler. It reports what the handler did.
    decided: Option<oneshot::Sender<Decision<S>>>,
}

/// What a handler did with a request that it did not reject.
#[derive(Debug)]
pub(crate) enum Decision<S> {
    Accepted(Arc<Shared<S>>),
    /// The handler dropped the request.
    Dropped(Box<Pending<S>>),
}

/// How a client connected.
#[derive(Debug, Default)]
pub(crate) struct ClientInfo {
    pub(crate) peer: Option<SocketAddr>,
    pub(crate) guard: Option<ConnectionGuard>,
    pub(crate) fallback: Option<Fallback>,
    pub(crate) endpoint: Endpoint,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Request<S> {
    /// Reads the opening request of a client that has connected over `stream`: TCP, or TLS after its handshake.
    /// A request that does not ask for a WebSocket, or whose host or origin is not allowed, is answered with an
    /// error.
    ///
    /// The function does not know the address and the scheme of the server. Set [`AcceptOptions::hosts`] to
    /// [`HostPolicy::Local`](crate::proto::handshake::HostPolicy::Local) if it listens on a loopback address.
    ///
    /// # Errors
    /// [`AcceptError`]; the stream is closed.
    ///
    /// # Cancel safety
    /// Dropping the future closes the stream.
    pub async fn read(stream: S, options: &AcceptOptions) -> Result<Self, AcceptError> {
        let deadline = Deadline::after(options.handshake_timeout);
        let shared_options = options.clone().into();
        Self::read_within(deadline, stream, BytesMut::new(), shared_options, ClientInfo::default())
            .await
    }

    /// Reads a request over HTTP/1.1. `input` was read before.
    pub(crate) async fn read_within(
        deadline: Deadline,
        mut stream: S,
        mut input: BytesMut,
        shared_options: SharedOptions,
        client: ClientInfo,
    ) -> Result<Self, AcceptError> {
        let reading = read_request(&mut stream, &mut input, shared_options.options.limits);
        let head = deadline.limit(reading).await??;
        let exchange = Exchange::Http1 { stream, input };
        Self::answer_within(deadline, exchange, head, shared_options, client).await
    }

    /// Answers a request, unless it is a valid opening request.
    pub(crate) async fn answer_within(
        deadline: Deadline,
        exchange: Exchange<S>,
        head: Result<http::Request<()>, Rejection>,
        shared_options: SharedOptions,
        client: ClientInfo,
    ) -> Result<Self, AcceptError> {
        let ClientInfo { peer, guard, fallback, endpoint } = client;
        let (rejection, method) = match head {
            Err(rejection) => (rejection, Method::GET),
            Ok(head) => match answer(&head, &shared_options, endpoint, fallback) {
                Ok(Answer::Page(response)) => {
                    let status = response.status();
                    deadline.limit(exchange.answer_last(response, head.method())).await??;
                    return Err(AcceptError::Answered(status));
                }
                Ok(Answer::Handshake(handshake)) => {
                    let decided = None;
                    let pending =
                        Pending { exchange, head, handshake, shared_options, peer, guard, decided };
                    return Ok(Self { pending: Some(Box::new(pending)) });
                }
                Err(rejection) => (rejection, head.method().clone()),
            },
        };
        // The caller needs the rejection, even if the client does not receive it.
        deadline.limit(exchange.reject(&rejection, &method)).await.ok();
        Err(AcceptError::Rejected(rejection))
    }

    /// Returns the target of the request: its path and query, as the client sent them.
    pub fn uri(&self) -> &Uri {
        self.pending().head.uri()
    }

    /// Returns the headers of the request.
    pub fn headers(&self) -> &HeaderMap {
        self.pending().head.headers()
    }

    /// Returns the request as a value of the `http` crate, for example to clone it before
    /// [`accept`](Self::accept).
    pub fn http_request(&self) -> &http::Request<()> {
        &self.pending().head
    }

    /// Returns the response that [`accept`](Self::accept) would send.
    pub fn http_response(&self) -> Response<()> {
        self.pending().handshake.response()
    }

    /// Returns the subprotocols that the client offers, in its order of preference.
    pub fn subprotocols(&self) -> &Subprotocols {
        self.pending().handshake.offer().subprotocols()
    }

    /// Returns the address from which the client has connected, if it has one. Behind proxies, this is the address of
    /// the last proxy.
    pub fn peer_addr(&self) -> Option<SocketAddr> {
        self.pending().peer
    }

    /// Chooses a subprotocol. Without this call, the server chooses the first of the client's offers that is
    /// in [`AcceptOptions::subprotocols`].
    ///
    /// # Errors
    /// [`SubprotocolNotOfferedError`] if the client did not offer it; the request is dropped.
    pub fn with_subprotocol(
        mut self,
        chosen: Subprotocol,
    ) -> Result<Self, SubprotocolNotOfferedError> {
        self.pending_mut().handshake.choose(chosen)?;
        Ok(self)
    }

    /// Adds a header to the response.
    ///
    /// # Errors
    /// [`ReservedHeaderError`] if the handshake sets the header itself; the request is dropped.
    pub fn with_header(
        mut self,
        name: HeaderName,
        value: HeaderValue,
    ) -> Result<Self, ReservedHeaderError> {
        self.pending_mut().handshake.add_header(name, value)?;
        Ok(self)
    }

    /// Accepts the request, and opens the connection.
    ///
    /// # Errors
    /// [`AcceptError`] if the response cannot be written.
    ///
    /// # Cancel safety
    /// Dropping the future closes the stream.
    pub async fn accept(mut self) -> Result<Socket<S>, AcceptError> {
        let pending = self.pending.take().expect("a request is answered once");
        // Boxed, so that the handler does not keep the memory of the handshake while the connection is open.
        Box::pin(pending.accept()).await
    }

    /// Answers with an HTTP error, and closes the stream.
    ///
    /// # Errors
    /// [`AcceptError`] if the response cannot be written. There is nothing left to do then.
    ///
    /// # Cancel safety
    /// Dropping the future closes the stream.
    pub async fn reject(mut self, rejection: Rejection) -> Result<(), AcceptError> {
        let pending = self.pending.take().expect("a request is answered once");
        Box::pin(pending.reject(rejection)).await
    }

    /// Sends the outcome of the request to `decided`, unless it is rejected.
    pub(crate) fn deciding(mut self, decided: oneshot::Sender<Decision<S>>) -> Self {
        self.pending_mut().decided = Some(decided);
        self
    }

    fn pending(&self) -> &Pending<S> {
        self.pending.as_ref().expect("a request is answered once")
    }

    fn pending_mut(&mut self) -> &mut Pending<S> {
        self.pending.as_mut().expect("a request is answered once")
    }
}

impl Request<Transport> {
    /// Returns the certificates that the client presented over TLS, in DER: the client's own certificate,
    /// then those that lead to a root. The certificates are verified. There are none without TLS, or if the
    /// server does not request them; see
    /// [`Identity::require_client_certificate`](crate::Identity::require_client_certificate).
    pub fn client_certificates(&self) -> impl Iterator<Item = &[u8]> {
        self.pending().exchange.client_certificates()
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Pending<S> {
    async fn accept(self: Box<Self>) -> Result<Socket<S>, AcceptError> {
        if self.guard.as_ref().is_some_and(|guard| guard.pool().phase() != Phase::Serving) {
            let reason = "this server is shutting down";
            let rejection = Rejection::new(StatusCode::SERVICE_UNAVAILABLE, reason);
            self.reject(rejection.clone()).await?;
            return Err(AcceptError::Rejected(rejection));
        }
        let deadline = self.deadline();
        let Self { exchange, handshake, guard, decided, .. } = *self;
        let opening = exchange.open(handshake.response());
        let (stream, input) = deadline.limit(opening).await??;
        let (connection, answer) = handshake.accept();
        let socket = Socket::new(stream, connection, input, answer, guard);
        if let Some(decided) = decided {
            socket.shared().link().expect_driver();
            // Sending only fails if the task was dropped. The task drops its handler, which awaits this
            // future.
            decided.send(Decision::Accepted(Arc::clone(socket.shared()))).ok();
        }
        Ok(socket)
    }

    pub(crate) async fn reject(self: Box<Self>, rejection: Rejection) -> Result<(), AcceptError> {
        if let Some(guard) = &self.guard {
            guard.pool().counters.count_refused(rejection.status());
        }
        self.deadline().limit(self.exchange.reject(&rejection, &Method::GET)).await??;
        Ok(())
    }

    /// Returns the deadline for writing the response. It starts when the application has decided.
    fn deadline(&self) -> Deadline {
        Deadline::after(self.shared_options.options.handshake_timeout)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Drop for Request<S> {
    fn drop(&mut self) {
        if let Some(mut pending) = self.pending.take()
            && let Some(decided) = pending.decided.take()
        {
            decided.send(Decision::Dropped(pending)).ok();
        }
    }
}

/// The answer to a request that is not rejected at once.
enum Answer {
    Page(Response<Bytes>),
    Handshake(Handshake),
}

fn answer(
    request: &http::Request<()>,
    shared_options: &SharedOptions,
    endpoint: Endpoint,
    fallback: Option<Fallback>,
) -> Result<Answer, Rejection> {
    shared_options.options.hosts.check(request, endpoint)?;
    match fallback.and_then(|fallback| fallback.find(request)) {
        Some(page) => Ok(Answer::Page(page)),
        None => Handshake::begin(request, shared_options, endpoint).map(Answer::Handshake),
    }
}

async fn read_request(
    stream: &mut (impl AsyncRead + Unpin),
    input: &mut BytesMut,
    limits: Limits,
) -> Result<Result<http::Request<()>, Rejection>, OpeningError> {
    let mut reader = HeadReader::new(limits);
    match read_head(stream, input, |input| reader.request(input)).await {
        Ok(request) => Ok(Ok(request)),
        Err(OpeningError::Head(error)) => Ok(Err(error.rejection())),
        Err(error) => Err(error),
    }
}
