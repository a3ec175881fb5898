use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes, BytesMut};
use fullduplex_proto::{CloseCode, CloseFrame, Message, Part};
use tokio::io::{AsyncBufRead, AsyncRead, AsyncWrite, ReadBuf};

use crate::socket::halves::Halves;
use crate::socket::{SendError, Socket};
use crate::transport::Transport;

/// A connection as a stream of bytes: what the peer's binary messages carry, one behind the other, and
/// a binary message for each write. For protocols that run over a stream, where only a WebSocket gets
/// through. From [`Socket::into_byte_stream`].
///
/// - **Reading** takes a message as it arrives, however large. The stream ends where the peer has closed
///   in order; any other end is an error, [`UnexpectedEof`](io::ErrorKind::UnexpectedEof), and so is a
///   text message, [`InvalidData`](io::ErrorKind::InvalidData). Reading also answers pings.
/// - **Writing** waits while much waits for the transport; at most 64 KiB go into a message. What was
///   written leaves with `flush`, with the next `read`, or as the transport takes it.
/// - **Shutting down** closes with 1000, behind all that was written. A WebSocket has no half of it: the peer
///   answers with its own Close, and what it sent before that can still be read.
///
/// ```
/// # async fn example(socket: fullduplex_net::Socket) -> std::io::Result<()> {
/// let mut tcp = tokio::net::TcpStream::connect("127.0.0.1:22").await?;
/// let mut stream = socket.into_byte_stream();
/// tokio::io::copy_bidirectional(&mut tcp, &mut stream).await?;
/// # Ok(())
/// # }
/// ```
///
/// # Cancel safety
/// As of every stream: what a read has not returned is still there, and what a write has not accepted was not
/// written.
#[derive(Debug)]
pub struct ByteStream<S: AsyncRead + AsyncWrite + Unpin = Transport> {
    socket: Socket<S>,
    halves: Halves,
    /// Received and not yet read.
    unread: Bytes,
}

/// How many bytes a write puts into one message.
const MAX_WRITE: usize = 64 << 10;

impl<S: AsyncRead + AsyncWrite + Unpin> Socket<S> {
    /// The connection as a stream of bytes.
    pub fn into_byte_stream(self) -> ByteStream<S> {
        ByteStream { socket: self, halves: Halves::new(), unread: Bytes::new() }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> ByteStream<S> {
    /// The connection, of which nothing was read but what the stream was asked for; `None` if some of a
    /// message was.
    pub fn into_inner(self) -> Option<Socket<S>> {
        self.unread.is_empty().then_some(self.socket)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncBufRead for ByteStream<S> {
    fn poll_fill_buf(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        let this = self.get_mut();
        let cx = &mut Context::from_waker(this.halves.reading(cx.waker()));
        while this.unread.is_empty() {
            match ready!(this.socket.poll_part(cx)) {
                Ok(Some(Part { content: Message::Binary(bytes), .. })) => this.unread = bytes,
                Ok(Some(Part { content: Message::Text(_), .. })) => {
                    let reason = "a text message, where the peer should send bytes";
                    return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, reason)));
                }
                Ok(None) => break,
                Err(error) => {
                    let error = io::Error::new(io::ErrorKind::UnexpectedEof, error);
                    return Poll::Ready(Err(error));
                }
            }
        }
        Poll::Ready(Ok(&this.unread))
    }

    fn consume(self: Pin<&mut Self>, amount: usize) {
        self.get_mut().unread.advance(amount);
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for ByteStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let unread = ready!(self.as_mut().poll_fill_buf(cx))?;
        let amount = unread.len().min(buf.remaining());
        buf.put_slice(&unread[..amount]);
        self.consume(amount);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for ByteStream<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        if buf.is_empty() {
            return Poll::Ready(Ok(0)); // not a message
        }
        let Self { socket, halves, .. } = self.get_mut();
        let cx = &mut Context::from_waker(halves.writing(cx.waker()));
        ready!(socket.poll_room(cx)).map_err(not_written)?;
        let amount = buf.len().min(MAX_WRITE);
        let message = Message::Binary(BytesMut::from(&buf[..amount]).freeze());
        let queued = socket.queue(message);
        queued.map_err(|misuse| not_written(misuse.into()))?;
        // What the transport does not take now it takes when it is polled again; an error is the next call's.
        let _ = socket.poll_flush(cx);
        Poll::Ready(Ok(amount))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Self { socket, halves, .. } = self.get_mut();
        socket.poll_flush(&mut Context::from_waker(halves.writing(cx.waker())))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Self { socket, halves, .. } = self.get_mut();
        let cx = &mut Context::from_waker(halves.writing(cx.waker()));
        socket.start_close(Some(&CloseFrame::code(CloseCode::NORMAL)));
        match ready!(socket.poll_flush(cx)) {
            // It has ended in order before.
            Err(_) if socket.closed().is_some_and(|closed| closed.was_clean()) => {
                Poll::Ready(Ok(()))
            }
            flushed => Poll::Ready(flushed),
        }
    }
}

fn not_written(error: SendError) -> io::Error {
    match error {
        SendError::Io(error) => error,
        // The peer has closed, or this end has.
        SendError::Misuse(misuse) => io::Error::new(io::ErrorKind::BrokenPipe, misuse),
    }
}
