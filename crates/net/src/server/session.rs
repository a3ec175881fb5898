//! One client of a server, from TCP to the end.

use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, ready};

use fullduplex_proto::handshake::Rejection;
use http::StatusCode;
use tokio_rustls::TlsAcceptor;
use tracing::Span;

use crate::http1::read::OpeningError;
use crate::server::Accepted;
use crate::server::accept::AcceptError;
use crate::server::connections::{Phase, Shared};
use crate::server::fallback::Fallback;
use crate::server::guard::ConnectionGuard;
use crate::server::request::Request;
use crate::server::seat::{Seat, Seated};
use crate::server::task::{HandlerPanicError, HandlerTask, Outcome, poll_caught};
use crate::socket::alarm::Alarm;
use crate::time::Time;
use crate::transport::Transport;

/// The opening of a connection, in a box of its own: it needs more memory than an open one keeps.
pub(crate) type Opening =
    Pin<Box<dyn Future<Output = Result<Request, AcceptError>> + Send + 'static>>;

/// Reads the request of a client, after TLS if the server speaks it.
pub(crate) fn open(
    accepted: Accepted,
    tls: Option<TlsAcceptor>,
    fallback: Option<Fallback>,
    peer: Option<SocketAddr>,
    member: ConnectionGuard,
) -> Opening {
    let server = Arc::clone(member.server());
    let terms = server.terms.clone();
    let time = Time::starting_now(terms.options.handshake_timeout);
    let opening = async move {
        let transport = match (accepted, tls) {
            (Accepted::Tcp(stream, _), Some(tls)) => {
                let stream = time.limit(tls.accept(stream)).await?.map_err(AcceptError::Tls)?;
                Transport::tls(stream)
            }
            (accepted, _) => accepted.into(),
        };
        Request::read_within(time, transport, terms, fallback, peer, Alarm::Server(member)).await
    };
    Box::pin(async move {
        tokio::select! {
            request = opening => request,
            // There is nothing to be finished.
            () = server.until(Phase::Closing) => Err(OpeningError::Ended.into()),
        }
    })
}

/// What comes of a client, until its connection is open: in a box of its own likewise.
pub(crate) type Preparing<F> =
    Pin<Box<dyn Future<Output = Option<HandlerTask<Transport, F>>> + Send + 'static>>;

/// Opens a connection as its handler decides.
pub(crate) fn prepare<F>(
    server: Arc<Shared>,
    opening: Opening,
    handler: impl FnOnce(Request) -> F + Send + 'static,
) -> Preparing<F>
where
    F: Future<Output = Outcome> + Send + 'static,
{
    Box::pin(async move {
        let request = match opening.await {
            Ok(request) => request,
            Err(error) => {
                note_unopened(&server, &error);
                return None;
            }
        };
        let seat = Seat::new();
        let mut handler = Box::pin(handler(request.seated(seat.clone())));
        match decide(&server, &seat, handler.as_mut()).await {
            Decided::Accepted(socket, outcome) => {
                server.counters.opened.fetch_add(1, Ordering::Relaxed);
                return Some(match outcome {
                    None => HandlerTask::new(socket, handler),
                    Some(outcome) => HandlerTask::closing(socket, outcome),
                });
            }
            Decided::Unanswered(refused, outcome) => {
                let ending = async {
                    refused.await.ok();
                    match outcome {
                        Some(outcome) => outcome,
                        None => poll_fn(|cx| poll_caught(handler.as_mut(), cx)).await,
                    }
                };
                tokio::select! {
                    outcome = ending => note_outcome(&outcome),
                    () = server.until(Phase::Cut) => {}
                }
            }
            Decided::Rejected(outcome) => note_outcome(&outcome),
            Decided::Cut => drop(server.counters.failed.fetch_add(1, Ordering::Relaxed)),
        }
        None
    })
}

/// Starts the task of a client, which does everything within `span`.
pub(crate) fn spawn<F>(preparing: Preparing<F>, span: Span)
where
    F: Future<Output = Outcome> + Send + 'static,
{
    let span = (!span.is_disabled()).then(|| Box::new(span));
    // A task of tokio is rounded up to the next 128 bytes; one that is a box is the smallest.
    tokio::spawn(Box::pin(Session { span, stage: Stage::Preparing(preparing) }));
}

/// Runs the handler of a client, and its connection, until both are over; in little memory.
struct Session<F> {
    /// If anybody listens.
    span: Option<Box<Span>>,
    stage: Stage<F>,
}

enum Stage<F> {
    Preparing(Preparing<F>),
    HandlerTask(HandlerTask<Transport, F>),
}

impl<F: Future<Output = Outcome>> Future for Session<F> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Self { span, stage } = self.get_mut();
        let _entered = span.as_ref().map(|span| span.enter());
        if let Stage::Preparing(preparing) = stage {
            match ready!(preparing.as_mut().poll(cx)) {
                Some(task) => *stage = Stage::HandlerTask(task),
                None => return Poll::Ready(()),
            }
            tracing::debug!("connection open");
        }
        if let Stage::HandlerTask(task) = stage {
            note_outcome(&ready!(Pin::new(task).poll(cx)));
        }
        Poll::Ready(())
    }
}

/// What a handler has made of its request, and what it returned if it has.
enum Decided {
    Accepted(Arc<crate::socket::Shared<Transport>>, Option<Outcome>),
    /// It dropped the request; this refuses it.
    Unanswered(Pin<Box<dyn Future<Output = Result<(), AcceptError>> + Send>>, Option<Outcome>),
    /// It refused the request, or could not answer it.
    Rejected(Outcome),
    /// The server was shut down meanwhile.
    Cut,
}

async fn decide<F: Future<Output = Outcome>>(
    server: &Shared,
    seat: &Seat<Transport>,
    mut handler: Pin<&mut F>,
) -> Decided {
    let mut cut = Box::pin(server.until(Phase::Cut));
    poll_fn(|cx| {
        let outcome = match poll_caught(handler.as_mut(), cx) {
            Poll::Ready(outcome) => Some(outcome),
            Poll::Pending => None,
        };
        Poll::Ready(match (seat.take(cx), outcome) {
            (Some(Seated::Socket(socket)), outcome) => Decided::Accepted(socket, outcome),
            (Some(Seated::Unanswered(pending)), outcome) => {
                let reason = "the server has not answered the request";
                let rejection = Rejection::new(StatusCode::INTERNAL_SERVER_ERROR, reason);
                Decided::Unanswered(Box::pin(pending.reject(rejection)), outcome)
            }
            (None, Some(outcome)) => Decided::Rejected(outcome),
            (None, None) if cut.as_mut().poll(cx).is_ready() => Decided::Cut,
            (None, None) => return Poll::Pending,
        })
    })
    .await
}

pub(crate) fn note_unopened(server: &Shared, error: &AcceptError) {
    tracing::debug!(%error, "no connection");
    match error {
        AcceptError::Rejected(rejection) => server.counters.count_refused(rejection.status()),
        AcceptError::Answered(status) => server.counters.count_refused(*status),
        _ => {
            server.counters.failed.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Most errors of handlers are the ends of their connections.
fn note_outcome(outcome: &Outcome) {
    match outcome {
        Ok(()) => {}
        Err(error) if error.is::<HandlerPanicError>() => tracing::error!("{error}"),
        Err(error) => tracing::debug!(%error, "the handler of a connection has failed"),
    }
}
