use std::any::Any;
use std::fmt;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use h2::{Reason, RecvStream, SendStream};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::http2::SEND_BUFFER;
use crate::http2::error::{io_error, reset};
use crate::http2::inbox::Inbox;

/// A stream of an HTTP/2 connection, as a transport (RFC8441-5-6).
///
/// END_STREAM is what FIN is for TCP, and RST_STREAM with CANCEL what a reset is (RFC8441-5-7). The task of
/// the connection does the I/O, so bytes count as written when `h2` has queued them. `h2` only takes bytes
/// for which the windows of the peer have room.
pub(crate) struct Http2Stream {
    inbox: Inbox,
    send: SendStream<Bytes>,
    /// Whether END_STREAM was queued.
    is_shut: bool,
    /// Shows the connection that the stream is in use.
    _lease: Arc<dyn Any + Send + Sync>,
}

impl Http2Stream {
    pub(crate) fn new(
        recv: RecvStream,
        send: SendStream<Bytes>,
        lease: Arc<dyn Any + Send + Sync>,
    ) -> Self {
        Self { inbox: Inbox::new(recv), send, is_shut: false, _lease: lease }
    }

    /// Waits until the windows have room for some of `wanted` bytes, and returns how many.
    fn poll_room(&mut self, wanted: usize, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if self.is_shut {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let wanted = wanted.min(SEND_BUFFER);
        self.send.reserve_capacity(wanted);
        loop {
            let room = self.send.capacity().min(wanted);
            if room > 0 {
                return Poll::Ready(Ok(room));
            }
            match ready!(self.send.poll_capacity(cx)) {
                Some(Ok(_)) => {}
                Some(Err(error)) => return Poll::Ready(Err(io_error(error))),
                None => return Poll::Ready(Err(self.why_closed(cx))),
            }
        }
    }

    fn send(&mut self, bytes: Bytes, cx: &mut Context<'_>) -> io::Result<usize> {
        let count = bytes.len();
        match self.send.send_data(bytes, false) {
            Ok(()) => Ok(count),
            Err(_) => Err(self.why_closed(cx)),
        }
    }

    /// Returns why nothing can be sent.
    fn why_closed(&mut self, cx: &mut Context<'_>) -> io::Error {
        match self.send.poll_reset(cx) {
            Poll::Ready(Ok(reason)) => reset(reason),
            Poll::Ready(Err(error)) => io_error(error),
            Poll::Pending => io::ErrorKind::BrokenPipe.into(),
        }
    }
}

impl AsyncRead for Http2Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.get_mut().inbox.poll_read(cx, buf)
    }
}

impl AsyncWrite for Http2Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(buf)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let stream = self.get_mut();
        let total = bufs.iter().map(|buf| buf.len()).sum();
        if total == 0 {
            return Poll::Ready(Ok(0));
        }
        let room = ready!(stream.poll_room(total, cx))?;
        let mut bytes = BytesMut::with_capacity(room);
        for buf in bufs {
            let part = buf.len().min(room - bytes.len());
            bytes.extend_from_slice(&buf[..part]);
        }
        Poll::Ready(stream.send(bytes.freeze(), cx))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    /// The task of the connection writes what is queued.
    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    /// Sends END_STREAM after the queued bytes (RFC8441-5-7).
    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let stream = self.get_mut();
        if !std::mem::replace(&mut stream.is_shut, true)
            && stream.send.send_data(Bytes::new(), true).is_err()
        {
            return Poll::Ready(Err(stream.why_closed(cx)));
        }
        Poll::Ready(Ok(()))
    }
}

/// Ends the stream.
impl Drop for Http2Stream {
    fn drop(&mut self) {
        match (self.is_shut, self.inbox.has_ended()) {
            (true, true) => {}
            (true, false) => self.inbox.linger(),
            // The peer has ended the stream, so this end follows (RFC8441-5-7).
            (false, true) => drop(self.send.send_data(Bytes::new(), true)),
            // What is queued is discarded (RFC8441-5-7).
            (false, false) => self.send.send_reset(Reason::CANCEL),
        }
    }
}

impl fmt::Debug for Http2Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Http2Stream").field("id", &self.send.stream_id()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use http::{Request, Response};
    use tokio::io::duplex;

    use super::*;

    #[tokio::test]
    async fn a_write_of_several_slices_takes_no_more_than_the_window() {
        let (client, server) = duplex(1 << 16);
        let serving = async {
            let mut connection = h2::server::handshake(server).await.unwrap();
            let (request, mut respond) = connection.accept().await.unwrap().unwrap();
            let send = respond.send_response(Response::new(()), false).unwrap();
            let mut stream = Http2Stream::new(request.into_body(), send, Arc::new(()));
            tokio::spawn(async move { while connection.accept().await.is_some() {} });
            let slices = [b"1234", b"5678", b"9abc"].map(|slice| IoSlice::new(slice));
            let write =
                |cx: &mut Context<'_>| Pin::new(&mut stream).poll_write_vectored(cx, &slices);
            (poll_fn(write).await.unwrap(), stream)
        };
        let requesting = async {
            let mut builder = h2::client::Builder::new();
            builder.initial_window_size(10);
            let (mut requests, connection) = builder.handshake::<_, Bytes>(client).await.unwrap();
            tokio::spawn(connection);
            let (response, send) = requests.send_request(Request::new(()), false).unwrap();
            (response.await.unwrap(), send)
        };
        let ((written, _stream), _request) = tokio::join!(serving, requesting);
        assert_eq!(written, 10);
    }
}
