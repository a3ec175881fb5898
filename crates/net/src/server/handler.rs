use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use fullduplex_proto::{CloseCode, CloseFrame};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;

use crate::pool::Phase;
use crate::socket::Socket;
use crate::socket::cork::Turn;
use crate::socket::shared::Shared;
use crate::time;

/// The time limit for a handler of [`Socket::drive`] that has not noticed the end of its connection. The
/// limit starts at the end of the connection.
const HANDLER_GRACE: Duration = Duration::from_secs(60);

/// The error of a handler.
pub type HandlerError = Box<dyn std::error::Error + Send + Sync>;

/// The usual result of a handler. An error closes its connection with 1011.
///
/// A handler may return any type that implements [`IntoHandlerResult`]. If a closure uses `?`, the compiler cannot
/// infer its error type. End the closure with `HandlerResult::Ok(())`.
pub type HandlerResult = Result<(), HandlerError>;

/// What a handler may return: `()`, or `Result<(), E>` with any error type `E`.
#[diagnostic::on_unimplemented(
    message = "a handler cannot return `{Self}`",
    label = "this handler",
    note = "a handler returns `()`, or `Result<(), E>` where `E` converts into `Box<dyn Error + Send + Sync>`"
)]
pub trait IntoHandlerResult {
    /// Converts the value into the usual result.
    ///
    /// # Errors
    /// The error of the handler.
    fn into_handler_result(self) -> HandlerResult;
}

impl IntoHandlerResult for () {
    fn into_handler_result(self) -> HandlerResult {
        Ok(())
    }
}

impl<E: Into<HandlerError>> IntoHandlerResult for Result<(), E> {
    fn into_handler_result(self) -> HandlerResult {
        self.map_err(Into::into)
    }
}

/// The handler has panicked. Its connection is closed with 1011.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the handler of a connection has panicked")]
pub struct HandlerPanicError;

impl<S: AsyncRead + AsyncWrite + Unpin> Socket<S> {
    /// Runs `handler` with this socket, and drives the socket while the handler waits for something else: it answers
    /// pings, checks deadlines, and writes queued messages.
    ///
    /// The closing handshake starts when the handler returns or drops the socket. The close code is 1000, or
    /// 1011 if the handler returned an error or panicked. The future is ready when the connection has ended
    /// and the handler has returned.
    ///
    /// # The end of a connection
    /// When the connection has ended, its transport and its place in the server are freed immediately, even
    /// if the handler is waiting for something else. The handler notices the end when it uses its socket:
    /// `recv` returns `None` or an error, `closed` returns, or sending fails. After that, the time for its
    /// cleanup is not limited. A handler that has not noticed the end within 60 s
    /// ([`ServerOptions::handler_grace`](crate::ServerOptions::handler_grace)) is dropped. Until then it keeps
    /// its memory, about 500 bytes and its own state. A handler that only sends should therefore also wait
    /// for the end, as the example of [`Socket::closed`] does.
    ///
    /// While the handler does not receive messages, the socket does not read, so the peer must wait. If the
    /// handler receives no message for 5 s, the socket reads up to 64 KiB ahead. In this way, it can notice
    /// an end of the connection that follows these bytes.
    ///
    /// # Errors
    /// The error of the handler, or [`HandlerPanicError`].
    ///
    /// # Cancel safety
    /// Dropping the future drops the handler and ends the connection.
    pub fn drive<F>(self, handler: impl FnOnce(Self) -> F) -> impl Future<Output = HandlerResult>
    where
        F: Future<Output: IntoHandlerResult>,
    {
        HandlerTask::start(self, handler)
    }
}

/// Runs a handler, and drives the socket that it uses.
pub(crate) struct HandlerTask<S: AsyncRead + AsyncWrite + Unpin, F> {
    socket: Arc<Shared<S>>,
    stage: Stage<F>,
}

enum Stage<F> {
    Handling(Pin<Box<F>>),
    /// The connection has ended, and the handler has not noticed it.
    Lingering(Box<Lingering<F>>),
    /// The handler has returned. The connection may still have to be closed.
    ///
    /// The error is boxed once more, so that a task fits into the smallest cell that tokio allocates.
    Closing(Result<(), Box<HandlerError>>),
    Over,
}

struct Lingering<F> {
    handler: Pin<Box<F>>,
    deadline: Instant,
}

impl<S: AsyncRead + AsyncWrite + Unpin, F> HandlerTask<S, F> {
    /// Calls `handler` with the socket.
    pub(crate) fn start(socket: Socket<S>, handler: impl FnOnce(Socket<S>) -> F) -> Self {
        let shared = Arc::clone(socket.shared());
        shared.link().expect_driver();
        match call(|| handler(socket)) {
            Ok(handler) => Self::new(shared, Box::pin(handler)),
            Err(panic) => Self::closing(shared, Err(panic.into())),
        }
    }

    /// Runs a handler that holds the socket.
    pub(crate) fn new(socket: Arc<Shared<S>>, handler: Pin<Box<F>>) -> Self {
        Self { socket, stage: Stage::Handling(handler) }
    }

    /// Closes the connection of a handler that has returned.
    pub(crate) fn closing(socket: Arc<Shared<S>>, result: HandlerResult) -> Self {
        Self { socket, stage: Stage::closing(result) }
    }
}

impl<S, F> Future for HandlerTask<S, F>
where
    S: AsyncRead + AsyncWrite + Unpin,
    F: Future<Output: IntoHandlerResult>,
{
    type Output = HandlerResult;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<HandlerResult> {
        let Self { socket, stage } = self.get_mut();
        let mut link = socket.link();
        link.begin_turn(cx);
        match link.phase() {
            Phase::Serving => {}
            Phase::Closing => link.start_close(Some(&CloseFrame::code(CloseCode::GOING_AWAY))),
            Phase::Cut => {
                let wakers = link.abandon();
                drop(link);
                wakers.wake();
                return Poll::Ready(stage.end());
            }
        }
        drop(link);
        let turn = Turn::begin(socket);
        let polled = stage.poll_handler(cx);
        drop(turn);
        if let Poll::Ready(result) = polled {
            *stage = Stage::closing(result);
        }
        let close = stage.close();
        let mut link = socket.link();
        let wakers = link.end_turn(Some(&close), cx);
        let over = if link.close_result().is_none() {
            link.park();
            None
        } else if let Stage::Closing(_) = stage {
            Some(TaskEnd::Returned)
        } else if link.is_end_unseen() {
            let grace = link.guard().map_or(HANDLER_GRACE, |guard| guard.pool().handler_grace());
            let deadline = stage.linger(grace);
            let is_due = link.poll_alarm(deadline, Instant::now(), cx).is_ready();
            is_due.then_some(TaskEnd::EndNotSeen)
        } else {
            None
        };
        if over == Some(TaskEnd::EndNotSeen)
            && let Some(guard) = link.guard()
        {
            guard.pool().counters.count_handler_dropped();
        }
        if over.is_some() {
            link.drop_guard();
        }
        drop(link);
        wakers.wake();
        match over {
            None => return Poll::Pending,
            Some(TaskEnd::EndNotSeen) => tracing::warn!(
                "handler dropped: it did not notice that its connection ended; see `Socket::closed`"
            ),
            Some(TaskEnd::Returned) => {}
        }
        Poll::Ready(stage.end())
    }
}

/// Why a task ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TaskEnd {
    /// The handler has returned, and the connection has ended.
    Returned,
    /// The connection has ended, and the handler has not noticed it within the grace period.
    EndNotSeen,
}

impl<S: AsyncRead + AsyncWrite + Unpin, F> Drop for HandlerTask<S, F> {
    fn drop(&mut self) {
        if !matches!(self.stage, Stage::Over) {
            // Another task may use the socket. Without this wake, it would wait forever.
            let wakers = self.socket.link().abandon();
            wakers.wake();
        }
    }
}

impl<F> Stage<F> {
    fn poll_handler(&mut self, cx: &mut Context<'_>) -> Poll<HandlerResult>
    where
        F: Future<Output: IntoHandlerResult>,
    {
        match self {
            Self::Handling(handler) => poll_catching_panics(handler.as_mut(), cx),
            Self::Lingering(lingering) => poll_catching_panics(lingering.handler.as_mut(), cx),
            Self::Closing(_) | Self::Over => Poll::Pending,
        }
    }

    fn closing(result: HandlerResult) -> Self {
        Self::Closing(result.map_err(Box::new))
    }

    /// Returns the frame that closes the connection when the socket was dropped.
    fn close(&self) -> CloseFrame {
        CloseFrame::code(match self {
            Self::Closing(Err(_)) => CloseCode::INTERNAL_ERROR,
            _ => CloseCode::NORMAL,
        })
    }

    /// Returns the deadline of a handler that has not noticed the end. The first call sets it.
    fn linger(&mut self, grace: Duration) -> Instant {
        *self = match std::mem::replace(self, Self::Over) {
            Self::Handling(handler) => {
                let deadline = time::after(grace);
                Self::Lingering(Box::new(Lingering { handler, deadline }))
            }
            other => other,
        };
        match self {
            Self::Lingering(lingering) => lingering.deadline,
            _ => time::after(grace),
        }
    }

    fn end(&mut self) -> HandlerResult {
        match std::mem::replace(self, Self::Over) {
            Self::Closing(result) => result.map_err(|error| *error),
            Self::Handling(_) | Self::Lingering(_) | Self::Over => Ok(()),
        }
    }
}

/// Calls a handler and catches its panic.
pub(crate) fn call<F>(handler: impl FnOnce() -> F) -> Result<F, HandlerPanicError> {
    catch_unwind(AssertUnwindSafe(handler)).map_err(|_| HandlerPanicError)
}

/// Polls a handler and catches its panic.
pub(crate) fn poll_catching_panics<F: Future<Output: IntoHandlerResult>>(
    handler: Pin<&mut F>,
    cx: &mut Context<'_>,
) -> Poll<HandlerResult> {
    match catch_unwind(AssertUnwindSafe(|| handler.poll(cx))) {
        Ok(polled) => Poll::Ready(ready!(polled).into_handler_result()),
        Err(_) => Poll::Ready(Err(HandlerPanicError.into())),
    }
}
