//! One client of a server, from `accept` to the end of its handler.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::BytesMut;
use fullduplex_proto::handshake::Rejection;
use http::StatusCode;
use tokio::sync::oneshot;
use tracing::{Instrument, Span};

use crate::http1::read::OpeningError;
use crate::pool::counters::Counters;
use crate::pool::{Phase, Pool};
use crate::server::connections::Connections;
use crate::server::deadline::Deadline;
use crate::server::error::AcceptError;
use crate::server::exchange::Exchange;
use crate::server::handler::{
    HandlerPanicError, HandlerResult, HandlerTask, IntoHandlerResult, call, poll_catching_panics,
};
use crate::server::request::{ClientInfo, Decision, Pending, Request};
use crate::socket::shared::Shared;
use crate::tls;
use crate::transport::Transport;

/// The opening handshake. It is boxed, because it needs more memory than an open connection.
pub(crate) type Opening =
    Pin<Box<dyn Future<Output = Result<Request, AcceptError>> + Send + 'static>>;

/// Reads the request of a client, after the TLS handshake if the server uses TLS.
pub(crate) fn open(
    transport: Transport,
    tls: Option<tls::Acceptor>,
    connections: &Connections,
    client: ClientInfo,
) -> Opening {
    let shared_options = connections.shared_options().clone();
    let deadline = Deadline::after(shared_options.options.handshake_timeout);
    until_closing(connections, async move {
        let transport = match tls {
            Some(tls) => {
                let accepting = transport.accept_tls(&tls);
                deadline.limit(accepting).await?.map_err(AcceptError::Tls)?
            }
            None => transport,
        };
        Request::read_within(deadline, transport, BytesMut::new(), shared_options, client).await
    })
}

/// Reads the request of a client that has sent `input`.
pub(crate) fn read(
    deadline: Deadline,
    transport: Transport,
    input: BytesMut,
    connections: &Connections,
    client: ClientInfo,
) -> Opening {
    let shared_options = connections.shared_options().clone();
    let reading = Request::read_within(deadline, transport, input, shared_options, client);
    until_closing(connections, reading)
}

/// Answers one of the requests of a connection, unless it is a valid opening request.
pub(crate) fn answer(
    exchange: Exchange<Transport>,
    head: http::Request<()>,
    connections: &Connections,
    client: ClientInfo,
) -> Opening {
    let shared_options = connections.shared_options().clone();
    let deadline = Deadline::after(shared_options.options.handshake_timeout);
    let answering = Request::answer_within(deadline, exchange, Ok(head), shared_options, client);
    until_closing(connections, answering)
}

fn until_closing(
    connections: &Connections,
    opening: impl Future<Output = Result<Request, AcceptError>> + Send + 'static,
) -> Opening {
    let pool = Arc::clone(connections.pool());
    Box::pin(async move {
        tokio::select! {
            biased;
            () = pool.until(Phase::Closing) => Err(OpeningError::Ended.into()),
            request = opening => request,
        }
    })
}

/// Opens the connection if the handler accepts the request.
pub(crate) async fn prepare<F>(
    pool: Arc<Pool>,
    opening: Opening,
    handler: Arc<impl Fn(Request) -> F>,
) -> Option<HandlerTask<Transport, F>>
where
    F: Future<Output: IntoHandlerResult>,
{
    let request = match opening.await {
        Ok(request) => request,
        Err(error) => {
            report_unopened(&pool.counters, &error);
            return None;
        }
    };
    let (decided, decision) = oneshot::channel();
    let mut handler = match call(|| handler(request.deciding(decided))) {
        Ok(handler) => Ok(Box::pin(handler)),
        Err(panic) => Err(panic),
    };
    let outcome = tokio::select! {
        biased;
        () = pool.until(Phase::Cut) => {
            pool.counters.count_failed();
            return None;
        }
        outcome = decide(decision, &mut handler) => outcome,
    };
    match (outcome, handler) {
        (Outcome::Accepted(socket, None), Ok(handler)) => {
            pool.counters.count_opened();
            return Some(HandlerTask::new(socket, handler));
        }
        (Outcome::Accepted(socket, result), _) => {
            pool.counters.count_opened();
            return Some(HandlerTask::closing(socket, result.unwrap_or(Ok(()))));
        }
        (Outcome::Dropped(pending, result), handler) => {
            let reason = "the server has not answered the request";
            let rejection = Rejection::new(StatusCode::INTERNAL_SERVER_ERROR, reason);
            let ending = async {
                pending.reject(rejection).await.ok();
                match (result, handler) {
                    (Some(result), _) => result,
                    (None, Err(panic)) => Err(panic.into()),
                    (None, Ok(mut handler)) => {
                        poll_fn(|cx| poll_catching_panics(handler.as_mut(), cx)).await
                    }
                }
            };
            tokio::select! {
                biased;
                () = pool.until(Phase::Cut) => {}
                result = ending => report(&result),
            }
        }
        (Outcome::Rejected(result), _) => report(&result),
    }
    None
}

/// Starts the task of a client within `span`.
pub(crate) fn spawn<P, F>(preparing: P, span: Span)
where
    P: Future<Output = Option<HandlerTask<Transport, F>>> + Send + 'static,
    F: Future<Output: IntoHandlerResult> + Send + 'static,
{
    let session = Session::Preparing(Box::pin(preparing));
    if span.is_disabled() {
        tokio::spawn(session);
    } else {
        tokio::spawn(session.instrument(span));
    }
}

/// Starts the task of a client like [`spawn`], in the runtime of this thread.
pub(crate) fn spawn_local<P, F>(preparing: P, span: Span)
where
    P: Future<Output = Option<HandlerTask<Transport, F>>> + 'static,
    F: Future<Output: IntoHandlerResult> + 'static,
{
    let session = Session::Preparing(Box::pin(preparing));
    if span.is_disabled() {
        tokio::task::spawn_local(session);
    } else {
        tokio::task::spawn_local(session.instrument(span));
    }
}

/// Runs the handler of a client, and its connection, until both have ended.
///
/// The future has at most 24 bytes, so that its task fits into the smallest cell that tokio allocates.
enum Session<P, F> {
    /// A client until its connection is open. It is boxed, because it needs more memory than an open connection.
    Preparing(Pin<Box<P>>),
    Open(HandlerTask<Transport, F>),
}

impl<P, F> Future for Session<P, F>
where
    P: Future<Output = Option<HandlerTask<Transport, F>>>,
    F: Future<Output: IntoHandlerResult>,
{
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let session = self.get_mut();
        if let Self::Preparing(preparing) = session {
            match ready!(preparing.as_mut().poll(cx)) {
                Some(task) => *session = Self::Open(task),
                None => return Poll::Ready(()),
            }
            tracing::debug!("connection open");
        }
        if let Self::Open(task) = session {
            report(&ready!(Pin::new(task).poll(cx)));
        }
        Poll::Ready(())
    }
}

/// What a handler did with its request, and its result if it has returned.
enum Outcome {
    Accepted(Arc<Shared<Transport>>, Option<HandlerResult>),
    Dropped(Box<Pending<Transport>>, Option<HandlerResult>),
    /// The handler rejected the request, or could not answer it.
    Rejected(HandlerResult),
}

/// Runs the handler until it has decided on its request.
async fn decide<F: Future<Output: IntoHandlerResult>>(
    mut decision: oneshot::Receiver<Decision<Transport>>,
    handler: &mut Result<Pin<Box<F>>, HandlerPanicError>,
) -> Outcome {
    poll_fn(|cx| {
        let result = match handler {
            Ok(handler) => match poll_catching_panics(handler.as_mut(), cx) {
                Poll::Ready(result) => Some(result),
                Poll::Pending => None,
            },
            Err(panic) => Some(Err((*panic).into())),
        };
        // `None` once the request is rejected.
        let decided = match decision.is_terminated() {
            true => None,
            false => match Pin::new(&mut decision).poll(cx) {
                Poll::Ready(decided) => decided.ok(),
                Poll::Pending => None,
            },
        };
        Poll::Ready(match (decided, result) {
            (Some(Decision::Accepted(socket)), result) => Outcome::Accepted(socket, result),
            (Some(Decision::Dropped(pending)), result) => Outcome::Dropped(pending, result),
            (None, Some(result)) => Outcome::Rejected(result),
            (None, None) => return Poll::Pending,
        })
    })
    .await
}

pub(crate) fn report_unopened(counters: &Counters, error: &AcceptError) {
    tracing::debug!(%error, "connection not opened");
    match error {
        AcceptError::Rejected(rejection) => counters.count_refused(rejection.status()),
        AcceptError::Answered(status) => counters.count_refused(*status),
        _ => counters.count_failed(),
    }
}

/// Logs the error of a handler. Most errors report the end of the connection.
fn report(result: &HandlerResult) {
    match result {
        Ok(()) => {}
        Err(error) if error.is::<HandlerPanicError>() => tracing::error!("{error}"),
        Err(error) => tracing::debug!(%error, "handler failed"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fault FT-40: this size determines the cost of idle connections. tokio rounds the cell of a task up to a multiple
    /// of 128 bytes.
    #[test]
    fn a_session_fits_into_the_smallest_cell() {
        assert!(size_of::<Session<(), std::future::Ready<()>>>() <= 24);
    }
}
