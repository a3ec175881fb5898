use std::net::SocketAddr;

use bytes::BytesMut;
use fullduplex_proto::handshake::head::{self, HeadReader};
use fullduplex_proto::handshake::{
    Rejection, ReservedHeaderError, Subprotocol, SubprotocolNotOfferedError, Subprotocols,
};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::http1::read::OpeningError;
use crate::http1::read::{read_head, write_all};
use crate::server::accept::{AcceptError, AcceptOptions};
use crate::server::connections::Phase;
use crate::server::fallback::Fallback;
use crate::server::handshake::{Handshake, Terms};
use crate::server::seat::Seat;
use crate::socket::Socket;
use crate::socket::alarm::Alarm;
use crate::time::Time;
use crate::transport::Transport;

/// How much a refused client may still send before it is cut off.
const REFUSED_INPUT: u64 = 64 << 10;

/// A client that asks for a WebSocket and has no answer yet: [`accept`](Self::accept) or
/// [`reject`](Self::reject) it.
///
/// Until then nothing more is read from it, and the time that it takes to decide is not the client's. A
/// request that is dropped without an answer closes the stream; in a handler of a
/// [`Server`](crate::server::Server) it is refused with 500.
#[derive(Debug)]
pub struct Request<S: AsyncRead + AsyncWrite + Unpin = Transport> {
    /// Until it is answered.
    pending: Option<Box<Pending<S>>>,
}

#[derive(Debug)]
pub(crate) struct Pending<S> {
    stream: S,
    /// What followed the head.
    input: BytesMut,
    head: http::Request<()>,
    handshake: Handshake,
    terms: Terms,
    peer: Option<SocketAddr>,
    alarm: Alarm,
    /// Where the task that runs the handler waits for the socket.
    seat: Option<Seat<S>>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Request<S> {
    /// Reads the opening request of a client that has connected by `stream`: by TCP, or by TLS whose
    /// handshake is done. It is refused at once if it does not ask for a WebSocket, or its origin is
    /// not welcome.
    ///
    /// # Errors
    /// [`AcceptError`]; the stream is closed.
    ///
    /// # Cancel safety
    /// Dropping the future closes the stream.
    pub async fn read(stream: S, options: &AcceptOptions) -> Result<Self, AcceptError> {
        let time = Time::starting_now(options.handshake_timeout);
        let terms = options.clone().into();
        Self::read_within(time, stream, terms, None, None, Alarm::Own(None)).await
    }

    pub(crate) async fn read_within(
        time: Time,
        mut stream: S,
        terms: Terms,
        fallback: Option<Fallback>,
        peer: Option<SocketAddr>,
        alarm: Alarm,
    ) -> Result<Self, AcceptError> {
        let mut input = BytesMut::new();
        let begun = match time.limit(read_request(&mut stream, &mut input)).await?? {
            Ok(head) => match Handshake::begin(&head, &terms) {
                Ok(handshake) => Ok((head, handshake)),
                Err(rejection) => {
                    let page = fallback.and_then(|fallback| fallback.find(&head, &rejection));
                    if let Some(page) = page {
                        let status = page.status();
                        time.limit(answer_last(stream, &page)).await??;
                        return Err(AcceptError::Answered(status));
                    }
                    Err(rejection)
                }
            },
            Err(rejection) => Err(rejection),
        };
        match begun {
            Ok((head, handshake)) => {
                let seat = None;
                let pending = Pending { stream, input, head, handshake, terms, peer, alarm, seat };
                Ok(Self { pending: Some(Box::new(pending)) })
            }
            Err(rejection) => {
                // The rejection is what the caller needs to know, whether or not the client hears it.
                time.limit(reject(stream, &rejection)).await.ok();
                Err(AcceptError::Rejected(rejection))
            }
        }
    }

    /// What is asked for: the path and the query, as the client wrote them.
    pub fn uri(&self) -> &Uri {
        self.pending().head.uri()
    }

    /// The headers of the request.
    pub fn headers(&self) -> &HeaderMap {
        self.pending().head.headers()
    }

    /// The subprotocols that the client offers, in its order of preference.
    pub fn subprotocols(&self) -> &Subprotocols {
        self.pending().handshake.offer().subprotocols()
    }

    /// The address from which the client has connected, where there is one: that of the last proxy, if
    /// there are proxies.
    pub fn peer_addr(&self) -> Option<SocketAddr> {
        self.pending().peer
    }

    /// Chooses a subprotocol, instead of the first that is among [`AcceptOptions::subprotocols`].
    ///
    /// # Errors
    /// [`SubprotocolNotOfferedError`] if the client did not offer it; the request is closed.
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
    /// [`ReservedHeaderError`] if the header is the handshake's own; the request is closed.
    pub fn with_header(
        mut self,
        name: HeaderName,
        value: HeaderValue,
    ) -> Result<Self, ReservedHeaderError> {
        self.pending_mut().handshake.add_header(name, value)?;
        Ok(self)
    }

    /// Opens the connection.
    ///
    /// # Errors
    /// [`AcceptError`] if the response cannot be written.
    ///
    /// # Cancel safety
    /// Dropping the future closes the stream.
    pub async fn accept(mut self) -> Result<Socket<S>, AcceptError> {
        let pending = self.pending.take().expect("a request is answered once");
        // In a box of its own, which is gone when the connection is open.
        Box::pin(pending.accept()).await
    }

    /// Answers with an HTTP error, and closes the stream.
    ///
    /// # Errors
    /// [`AcceptError`] if the answer cannot be written; there is nothing more to do then.
    ///
    /// # Cancel safety
    /// Dropping the future closes the stream.
    pub async fn reject(mut self, rejection: Rejection) -> Result<(), AcceptError> {
        let pending = self.pending.take().expect("a request is answered once");
        Box::pin(pending.reject(rejection)).await
    }

    /// Lets `seat` have the socket, or the request if it is dropped.
    pub(crate) fn seated(mut self, seat: Seat<S>) -> Self {
        self.pending_mut().seat = Some(seat);
        self
    }

    fn pending(&self) -> &Pending<S> {
        self.pending.as_ref().expect("a request is answered once")
    }

    fn pending_mut(&mut self) -> &mut Pending<S> {
        self.pending.as_mut().expect("a request is answered once")
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Pending<S> {
    async fn accept(mut self: Box<Self>) -> Result<Socket<S>, AcceptError> {
        if self.alarm.member().is_some_and(|member| member.server().phase() != Phase::Serving) {
            let reason = "this server is shutting down";
            let rejection = Rejection::new(StatusCode::SERVICE_UNAVAILABLE, reason);
            self.reject(rejection.clone()).await?;
            return Err(AcceptError::Rejected(rejection));
        }
        let time = self.time();
        let Self { mut stream, input, handshake, alarm, seat, .. } = *self;
        let (response, connection, answer) = handshake.accept();
        let mut bytes = Vec::new();
        head::encode_response(&response, &mut bytes);
        time.limit(write_all(&mut stream, &bytes)).await??;
        let socket = Socket::new(stream, connection, input, answer, alarm);
        if let Some(seat) = seat {
            seat.take_socket(&socket);
        }
        Ok(socket)
    }

    pub(crate) async fn reject(
        mut self: Box<Self>,
        rejection: Rejection,
    ) -> Result<(), AcceptError> {
        if let Some(member) = self.alarm.member() {
            member.server().counters.count_refused(rejection.status());
        }
        self.time().limit(reject(self.stream, &rejection)).await??;
        Ok(())
    }

    /// The time to write an answer starts when it is decided.
    fn time(&self) -> Time {
        Time::starting_now(self.terms.options.handshake_timeout)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Drop for Request<S> {
    fn drop(&mut self) {
        if let Some(mut pending) = self.pending.take()
            && let Some(seat) = pending.seat.take()
        {
            seat.take_unanswered(pending);
        }
    }
}

async fn read_request(
    stream: &mut (impl AsyncRead + Unpin),
    input: &mut BytesMut,
) -> Result<Result<http::Request<()>, Rejection>, OpeningError> {
    let mut reader = HeadReader::new();
    match read_head(stream, input, |input| reader.request(input)).await {
        Ok(request) => Ok(Ok(request)),
        Err(OpeningError::Head(error)) => Ok(Err(error.rejection())),
        Err(error) => Err(error),
    }
}

/// Refuses, as [`answer_last`] does.
pub(crate) async fn reject<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    rejection: &Rejection,
) -> Result<(), OpeningError> {
    answer_last(stream, &rejection.to_response()).await
}

/// Answers, ends the stream, and lets the client read the answer: bytes of it that nobody reads
/// would turn the end into a reset, which may overtake the answer.
async fn answer_last<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: S,
    response: &http::Response<impl AsRef<[u8]>>,
) -> Result<(), OpeningError> {
    let mut bytes = Vec::new();
    head::encode_response(response, &mut bytes);
    bytes.extend_from_slice(response.body().as_ref());
    write_all(&mut stream, &bytes).await?;
    stream.shutdown().await?;
    tokio::io::copy(&mut stream.take(REFUSED_INPUT), &mut tokio::io::sink()).await?;
    Ok(())
}
