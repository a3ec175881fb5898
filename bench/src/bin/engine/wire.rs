use std::hint::black_box;
use std::io::{self, IoSlice, Read, Write};
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{BufMut, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The maximum number of bytes that a read copies at once.
const BLOCK: usize = 128 << 10;

/// A transport in memory that is never full: a write takes everything. Reading yields one frame over
/// and over. A read fills the reader's buffer, or yields one burst.
#[derive(Debug)]
pub(crate) struct Wire {
    /// A number of whole frames.
    block: Bytes,
    /// How much of the block was read.
    read: usize,
    /// The number of blocks that follow this one.
    blocks_left: usize,
    /// Whether the reader has to wait after each block.
    pauses: bool,
    has_paused: bool,
    written: usize,
}

impl Wire {
    /// Creates a wire that is never empty and never ends.
    pub(crate) fn new(frame: &[u8]) -> Self {
        let block = frame.repeat(BLOCK.div_ceil(frame.len())).into();
        Self {
            block,
            read: 0,
            blocks_left: usize::MAX,
            pauses: false,
            has_paused: false,
            written: 0,
        }
    }

    /// Creates a wire that yields bursts of `burst` frames, and ends after at least `count` frames.
    /// Between two bursts, the reader has to wait once.
    pub(crate) fn bursts(frame: &[u8], burst: usize, count: usize) -> Self {
        let block = frame.repeat(burst).into();
        Self {
            block,
            read: 0,
            blocks_left: count.div_ceil(burst) - 1,
            pauses: true,
            has_paused: false,
            written: 0,
        }
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
        if self.read == self.block.len() && self.blocks_left > 0 {
            self.blocks_left -= 1;
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

/// Runs a future to its end, on a runtime without I/O.
pub(crate) fn run<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    runtime.expect("a runtime without I/O").block_on(future)
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
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.pauses
            && self.read == self.block.len()
            && !std::mem::replace(&mut self.has_paused, true)
        {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        self.has_paused = false;
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
