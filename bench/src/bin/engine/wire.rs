use std::hint::black_box;
use std::io::{self, IoSlice, Read, Write};
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{BufMut, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The maximum number of bytes that a read copies at once.
const BLOCK: usize = 128 << 10;

/// A transport in memory that is never empty and never full: a read fills the reader's buffer, and
/// a write takes everything. Reading yields one frame over and over.
#[derive(Debug)]
pub(crate) struct Wire {
    /// A number of whole frames.
    block: Bytes,
    /// How much of the block was read.
    read: usize,
    written: usize,
}

impl Wire {
    pub(crate) fn new(frame: &[u8]) -> Self {
        Self { block: frame.repeat(BLOCK.div_ceil(frame.len())).into(), read: 0, written: 0 }
    }

    /// Returns the number of bytes written.
    pub(crate) fn written(&self) -> usize {
        self.written
    }

    /// Reads into the spare capacity after the bytes.
    pub(crate) fn read_behind(&mut self, bytes: &mut BytesMut) {
        let room = bytes.capacity() - bytes.len();
        bytes.put_slice(self.next(room));
    }

    fn next(&mut self, room: usize) -> &[u8] {
        if self.read == self.block.len() {
            self.read = 0;
        }
        let rest = &self.block[self.read..];
        let next = &rest[..room.min(rest.len())];
        self.read += next.len();
        next
    }

    fn take(&mut self, bytes: &[u8]) -> usize {
        self.written += black_box(bytes).len();
        bytes.len()
    }
}

impl Read for Wire {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let next = self.next(buffer.len());
        buffer[..next.len()].copy_from_slice(next);
        Ok(next.len())
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(self.take(bytes))
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        Ok(slices.iter().map(|slice| self.take(slice)).sum())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let room = buffer.remaining();
        buffer.put_slice(self.next(room));
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(self.write(bytes))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(self.write_vectored(slices))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
