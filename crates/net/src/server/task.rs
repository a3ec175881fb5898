use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use fullduplex_proto::{CloseCode, CloseFrame};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::server::connections::Phase;
use crate::socket::{Shared, Socket};

/// What a handler returns; an error ends its connection with 1011.
pub type Outcome = Result<(), Box<dyn std::error::Error + Send + Sync>>;

/// The handler has panicked; its connection is closed with 1011.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the handler of a connection has panicked")]
pub struct HandlerPanicError;

impl<S: AsyncRead + AsyncWrite + Unpin> Socket<S> {
    /// Runs `handler` with this socket, and drives the socket until its connection has ended: pings are
    /// answered and deadlines met while the handler does something else, and what it sent is written
    /// when it waits for anything.
    ///
    /// When the handler drops the socket, by returning or before, the closing handshake starts: with
    /// 1000, or with 1011 if it returned an error or has panicked.
    ///
    /// # Errors
    /// What the handler returned, or [`HandlerPanicError`].
    ///
    /// # Cancel safety
    /// Dropping the future drops the handler, and the connection with it.
    pub fn drive<F>(self, handler: impl FnOnce(Self) -> F) -> impl Future<Output = Outcome>
    where
        F: Future<Output = Outcome>,
    {
        let shared = Arc::clone(self.shared());
        shared.link().expect_driver();
        HandlerTask::new(shared, Box::pin(handler(self)))
    }
}

/// A handler, and the socket that it uses.
pub(crate) struct HandlerTask<S: AsyncRead + AsyncWrite + Unpin, F> {
    socket: Arc<Shared<S>>,
    stage: Stage<F>,
}

enum Stage<F> {
    Handling(Pin<Box<F>>),
    /// The handler has returned; the connection may still have to be closed.
    Closing(Outcome),
    Over,
}

impl<S: AsyncRead + AsyncWrite + Unpin, F> HandlerTask<S, F> {
    pub(crate) fn new(socket: Arc<Shared<S>>, handler: Pin<Box<F>>) -> Self {
        Self { socket, stage: Stage::Handling(handler) }
    }

    /// A socket whose handler has returned already.
    pub(crate) fn closing(socket: Arc<Shared<S>>, outcome: Outcome) -> Self {
        Self { socket, stage: Stage::Closing(outcome) }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin, F: Future<Output = Outcome>> Future for HandlerTask<S, F> {
    type Output = Outcome;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Outcome> {
        let Self { socket, stage } = self.get_mut();
        let (phase, other) = {
            let mut link = socket.link();
            link.begin_turn(cx);
            let phase = link.phase();
            let other = match phase {
                Phase::Serving => None,
                Phase::Closing => {
                    link.start_close(Some(&CloseFrame::code(CloseCode::GOING_AWAY)));
                    None
                }
                Phase::Cut => link.cut(),
            };
            (phase, other)
        };
        other.into_iter().for_each(Waker::wake);
        if phase == Phase::Cut {
            return Poll::Ready(stage.end());
        }
        if let Stage::Handling(handler) = stage
            && let Poll::Ready(outcome) = poll_caught(handler.as_mut(), cx)
        {
            *stage = Stage::Closing(outcome);
        }
        let close = stage.close();
        let mut link = socket.link();
        let other = link.end_turn(Some(&close), cx);
        let is_over = link.connection().closed().is_some() && matches!(stage, Stage::Closing(_));
        if is_over {
            link.leave();
        }
        link.rest();
        drop(link);
        other.into_iter().for_each(Waker::wake);
        if is_over { Poll::Ready(stage.end()) } else { Poll::Pending }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin, F> Drop for HandlerTask<S, F> {
    fn drop(&mut self) {
        if !matches!(self.stage, Stage::Over) {
            // Another task may have the socket, and would wait for ever.
            let other = self.socket.link().cut();
            other.into_iter().for_each(Waker::wake);
        }
    }
}

impl<F> Stage<F> {
    /// What a socket that was dropped is closed with.
    fn close(&self) -> CloseFrame {
        CloseFrame::code(match self {
            Self::Closing(Err(_)) => CloseCode::INTERNAL_ERROR,
            _ => CloseCode::NORMAL,
        })
    }

    fn end(&mut self) -> Outcome {
        match std::mem::replace(self, Self::Over) {
            Self::Closing(outcome) => outcome,
            Self::Handling(_) | Self::Over => Ok(()),
        }
    }
}

/// A panic of one handler is no other connection's concern.
pub(crate) fn poll_caught<F: Future<Output = Outcome>>(
    handler: Pin<&mut F>,
    cx: &mut Context<'_>,
) -> Poll<Outcome> {
    match catch_unwind(AssertUnwindSafe(|| handler.poll(cx))) {
        Ok(polled) => polled,
        Err(_) => Poll::Ready(Err(HandlerPanicError.into())),
    }
}
