use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes, BytesMut};
use fullduplex_proto::{Message, Part};
use tokio::io::{AsyncBufRead, AsyncRead, AsyncWrite, ReadBuf};

use crate::socket::Socket;
use crate::socket::link::Link;
use crate::transport::Transport;

/// A connection as a stream of bytes. Reading returns the payload of binary messages, and each write sends a binary
/// message. Use it to tunnel protocols that need a stream. Returned by [`Socket::into_byte_stream`].
///
/// - **Reading** returns parts of a message as they arrive. The stream ends when the peer has closed cleanly.
///   Any other end is an error of kind [`UnexpectedEof`](io::ErrorKind::UnexpectedEof). A text message is an error of
///   kind [`InvalidData`](io::ErrorKind::InvalidData). Reading also answers pings.
/// - **Writing** waits while 64 KiB are queued for the transport. A write sends one message of at most 64 KiB. The
///   message is written by `flush`, by the next `read`, or as soon as the transport accepts it.
/// - **Shutting down** closes with 1000, after all written bytes. A WebSocket cannot be half closed: the peer answers
///   with its own Close. Bytes that it sent before can still be read.
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
/// Safe: a dropped read loses no bytes, and a dropped write has written nothing.
#[derive(Debug)]
pub struct ByteStream<S: AsyncRead + AsyncWrite + Unpin = Transport> {
    socket: Socket<S>,
    /// Bytes that were received and not yet read.
    unread: Bytes,
}

/// The largest message that a write sends.
const MAX_WRITE: usize = 64 << 10;

impl<S: AsyncRead + AsyncWrite + Unpin> Socket<S> {
    /// Converts the socket into a stream of bytes.
    pub fn into_byte_stream(self) -> ByteStream<S> {
        // One task may read while another writes.
        self.link().share();
        ByteStream { socket: self, unread: Bytes::new() }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> ByteStream<S> {
    /// Returns the socket, or `None` if a part of a message was received and not read.
    pub fn into_inner(self) -> Option<Socket<S>> {
        self.unread.is_empty().then_some(self.socket)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncBufRead for ByteStream<S> {
    fn poll_fill_buf(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        let this = self.get_mut();
        while this.unread.is_empty() {
            match ready!(this.socket.poll_part(cx)) {
                Ok(Some(Part { content: Message::Binary(bytes), .. })) => this.unread = bytes,
                Ok(Some(Part { content: Message::Text(_), .. })) => {
                    let reason =
                        "the peer sent a text message; a byte stream takes binary messages only";
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
            return Poll::Ready(Ok(0)); // no message for it
        }
        let Self { socket, .. } = self.get_mut();
        let room = socket.shared().poll_writing(cx, Link::poll_room);
        ready!(room)?;
        let amount = buf.len().min(MAX_WRITE);
        let message = Message::Binary(BytesMut::from(&buf[..amount]).freeze());
        // One of the two ends has closed the connection.
        let refused = |misuse| io::Error::new(io::ErrorKind::BrokenPipe, misuse);
        socket.queue(message).map_err(refused)?;
        // Bytes that the transport does not take now are written later. The next call returns an error of the
        // transport.
        let _ = socket.shared().poll_writing(cx, Link::poll_flush_or_end);
        Poll::Ready(Ok(amount))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.socket.shared().poll_writing(cx, Link::poll_flush_or_end)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.socket.shared().poll_close(cx)
    }
}
