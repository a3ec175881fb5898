//! A socket as a `Stream` and a `Sink`, and its two halves.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use fullduplex_proto::{CloseCode, CloseFrame, Closed, Message};
use futures_core::Stream;
use futures_sink::Sink;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::socket::Socket;
use crate::socket::error::{SendError, SocketError};
use crate::socket::halves::Wait;
use crate::socket::link::Link;
use crate::socket::sender::Sender;
use crate::socket::shared::{Batch, Handle, Shared, wake};
use crate::transport::Transport;

/// The receiving half of a [`Socket`], from [`Socket::split`].
///
/// It also answers pings and the peer's Close. The connection only works while this half is polled, unless a
/// handler's task drives the socket.
#[derive(Debug)]
pub struct SocketStream<S: AsyncRead + AsyncWrite + Unpin = Transport> {
    handle: Arc<Handle<S>>,
    batch: Batch,
}

/// The sending half of a [`Socket`], from [`Socket::split`]: a [`Sink`] of [`Message`]s.
///
/// The sink accepts a message while less than 64 KiB wait for the transport. Closing the sink starts the
/// closing handshake with 1000; the stream ends when the peer has closed too. For several tasks that send, use
/// [`SocketSink::sender`].
#[derive(Debug)]
pub struct SocketSink<S: AsyncRead + AsyncWrite + Unpin = Transport> {
    handle: Arc<Handle<S>>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Socket<S> {
    /// Splits the socket into two halves, which two tasks may use. The connection ends when both are dropped.
    ///
    /// The halves have different error types. To forward one to the other, convert both errors into a common
    /// type: `stream.err_into::<E>().forward(sink.sink_err_into())`.
    ///
    /// ```
    /// # use fullduplex_net::{Socket, proto::Message};
    /// # use futures_util::{SinkExt, StreamExt};
    /// # async fn example(socket: Socket) -> Result<(), Box<dyn std::error::Error>> {
    /// let (mut sink, mut stream) = socket.split();
    /// tokio::spawn(async move { sink.send("hello".into()).await });
    /// while let Some(message) = stream.next().await {
    ///     println!("{:?}", message?);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn split(self) -> (SocketSink<S>, SocketStream<S>) {
        let Self { handle, batch } = self;
        handle.0.link().share();
        let handle = Arc::new(handle);
        (SocketSink { handle: Arc::clone(&handle) }, SocketStream { handle, batch })
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> SocketStream<S> {
    /// Waits for the next message, as [`Socket::recv`] does.
    ///
    /// # Errors
    /// As [`Socket::recv`].
    ///
    /// # Cancel safety
    /// Safe: no message is lost.
    pub async fn recv(&mut self) -> Result<Option<Message>, SocketError> {
        std::future::poll_fn(|cx| self.handle.0.poll_message(&mut self.batch, cx)).await
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> SocketSink<S> {
    /// Starts the closing handshake, after all messages that were sent before. The stream ends when the peer has closed
    /// too.
    pub fn start_close(&mut self, frame: Option<&CloseFrame>) {
        self.handle.0.start_close(frame);
    }

    /// Returns a handle for other tasks to send, while the task of the stream receives.
    pub fn sender(&mut self) -> Sender {
        self.handle.0.sender()
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Shared<S> {
    fn poll_next(
        &self,
        batch: &mut Batch,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Message, SocketError>>> {
        let message = ready!(self.poll_message(batch, cx));
        if let Ok(Some(message)) = message {
            return Poll::Ready(Some(Ok(message)));
        }
        let is_first = self.link().end_stream();
        Poll::Ready(message.err().filter(|_| is_first).map(Err))
    }

    pub(crate) fn poll_writing<T>(
        &self,
        cx: &mut Context<'_>,
        poll: impl FnOnce(&mut Link<S>, &mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        let mut link = self.link();
        // Another task may receive.
        link.share();
        link.poll_as_user(cx, Wait::Write, poll)
    }

    fn start_send(&self, message: Message) -> Result<(), SendError> {
        let mut link = self.link();
        link.queue(&message.into())?;
        wake(link);
        Ok(())
    }

    /// Closes with 1000, and polls until the transport has taken everything.
    pub(crate) fn poll_close(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.start_close(Some(&CloseFrame::code(CloseCode::NORMAL)));
        match ready!(self.poll_writing(cx, Link::poll_flush_or_end)) {
            Err(_) if self.link().close_result().is_some_and(Closed::was_clean) => {
                Poll::Ready(Ok(()))
            }
            flushed => Poll::Ready(flushed),
        }
    }
}

/// Implements both traits with the shared state, for the socket and for its halves.
macro_rules! stream {
    ($type:ident) => {
        impl<S: AsyncRead + AsyncWrite + Unpin> Stream for $type<S> {
            type Item = Result<Message, SocketError>;

            fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
                let this = self.get_mut();
                this.handle.0.poll_next(&mut this.batch, cx)
            }
        }
    };
}

macro_rules! sink {
    ($type:ident) => {
        impl<S: AsyncRead + AsyncWrite + Unpin> Sink<Message> for $type<S> {
            type Error = SendError;

            fn poll_ready(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
            ) -> Poll<Result<(), SendError>> {
                self.handle.0.poll_writing(cx, Link::poll_room).map_err(SendError::Io)
            }

            fn start_send(self: Pin<&mut Self>, message: Message) -> Result<(), SendError> {
                self.handle.0.start_send(message)
            }

            fn poll_flush(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
            ) -> Poll<Result<(), SendError>> {
                self.handle.0.poll_writing(cx, Link::poll_flush_or_end).map_err(SendError::Io)
            }

            fn poll_close(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
            ) -> Poll<Result<(), SendError>> {
                self.handle.0.poll_close(cx).map_err(SendError::Io)
            }
        }
    };
}

stream!(Socket);
stream!(SocketStream);
sink!(Socket);
sink!(SocketSink);
