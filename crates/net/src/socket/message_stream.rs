use std::pin::Pin;
use std::task::{Context, Poll, ready};

use fullduplex_proto::{CloseCode, CloseFrame, Message, Outgoing};
use futures_core::Stream;
use futures_sink::Sink;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::socket::halves::Halves;
use crate::socket::{SendError, Socket, SocketError};
use crate::transport::Transport;

/// A connection as a [`Stream`] and a [`Sink`] of messages, for what is written in terms of those. From
/// [`Socket::into_message_stream`].
///
/// The stream ends where the connection does, behind the error if it has failed. The sink takes a message
/// when there is room, and closing it closes with 1000; the stream goes on until the peer has closed too.
#[derive(Debug)]
pub struct MessageStream<S: AsyncRead + AsyncWrite + Unpin = Transport> {
    socket: Socket<S>,
    halves: Halves,
    received: Received,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Received {
    Some,
    All,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Socket<S> {
    /// The connection as a stream and a sink of messages.
    pub fn into_message_stream(self) -> MessageStream<S> {
        MessageStream { socket: self, halves: Halves::new(), received: Received::Some }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> MessageStream<S> {
    /// The connection, of which all that was received was returned.
    pub fn into_inner(self) -> Socket<S> {
        self.socket
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Stream for MessageStream<S> {
    type Item = Result<Message, SocketError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        if this.received == Received::All {
            return Poll::Ready(None);
        }
        let cx = &mut Context::from_waker(this.halves.reading(cx.waker()));
        let message = ready!(this.socket.poll_message(cx)).transpose();
        if !matches!(message, Some(Ok(_))) {
            this.received = Received::All;
        }
        Poll::Ready(message)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin, M: Into<Outgoing>> Sink<M> for MessageStream<S> {
    type Error = SendError;

    fn poll_ready(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        let Self { socket, halves, .. } = self.get_mut();
        socket.poll_room(&mut Context::from_waker(halves.writing(cx.waker())))
    }

    fn start_send(self: Pin<&mut Self>, message: M) -> Result<(), SendError> {
        Ok(self.get_mut().socket.queue(message)?)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        let Self { socket, halves, .. } = self.get_mut();
        let cx = &mut Context::from_waker(halves.writing(cx.waker()));
        socket.poll_flush(cx).map_err(SendError::Io)
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        let Self { socket, halves, .. } = self.get_mut();
        let cx = &mut Context::from_waker(halves.writing(cx.waker()));
        socket.start_close(Some(&CloseFrame::code(CloseCode::NORMAL)));
        socket.poll_flush(cx).map_err(SendError::Io)
    }
}
