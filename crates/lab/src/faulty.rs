//! A stream with injected faults: the first operation fails, or the second, and so on.

use std::cell::RefCell;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A number of operations that no script needs. A script that reaches it is in an endless loop.
const ENDLESS: usize = 10_000;

/// A fault of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The operation is interrupted and has to be repeated.
    Interrupted,
    /// The operation is pending and wakes its task at once.
    Pending,
    /// A read returns the end, and a write takes no bytes.
    Zero,
    /// The operation fails with this error.
    Fails(io::ErrorKind),
}

/// All faults that the tests inject.
pub const FAULTS: [Fault; 8] = [
    Fault::Interrupted,
    Fault::Pending,
    Fault::Zero,
    Fault::Fails(io::ErrorKind::ConnectionReset),
    Fault::Fails(io::ErrorKind::BrokenPipe),
    Fault::Fails(io::ErrorKind::TimedOut),
    Fault::Fails(io::ErrorKind::ConnectionAborted),
    Fault::Fails(io::ErrorKind::OutOfMemory),
];

impl Fault {
    /// Returns whether the operation may succeed when repeated.
    pub fn is_passing(self) -> bool {
        matches!(self, Self::Interrupted | Self::Pending)
    }
}

/// The operations that fail, counted from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failing {
    /// None.
    Never,
    /// Only this one.
    Once(usize, Fault),
    /// This one and all later ones.
    From(usize, Fault),
}

impl Failing {
    fn at(self, number: usize) -> Option<Fault> {
        match self {
            Self::Once(first, fault) if number == first => Some(fault),
            Self::From(first, fault) if number >= first => Some(fault),
            _ => None,
        }
    }
}

/// A completed or failed operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Operation {
    /// The kind of operation.
    pub kind: Kind,
    /// The number of bytes moved, or the fault.
    pub outcome: Result<usize, Fault>,
}

/// The kinds of operations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `poll_read`.
    Read,
    /// `poll_write`.
    Write,
    /// `poll_flush`.
    Flush,
    /// `poll_shutdown`.
    Shutdown,
}

/// The operations of a [`Faulty`] stream, in order, without those that are still pending.
pub type Operations = Rc<RefCell<Vec<Operation>>>;

/// A stream that injects faults and records its operations.
#[derive(Debug)]
pub struct Faulty<S> {
    stream: S,
    failing: Failing,
    operations: Operations,
}

impl<S> Faulty<S> {
    /// Returns a stream over `stream`, and the record of its operations.
    pub fn new(stream: S, failing: Failing) -> (Self, Operations) {
        let operations = Operations::default();
        (Self { stream, failing, operations: Rc::clone(&operations) }, operations)
    }

    /// Returns the result of an operation that must fail. `zero` is the result for [`Fault::Zero`].
    fn fault<T>(
        &self,
        cx: &mut Context<'_>,
        kind: Kind,
        zero: io::Result<T>,
    ) -> Option<Poll<io::Result<T>>> {
        let number = self.operations.borrow().len();
        assert!(number < ENDLESS, "endless loop");
        let fault = self.failing.at(number)?;
        self.operations.borrow_mut().push(Operation { kind, outcome: Err(fault) });
        Some(match fault {
            Fault::Interrupted => Poll::Ready(Err(io::ErrorKind::Interrupted.into())),
            Fault::Pending => {
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            Fault::Zero => Poll::Ready(zero),
            Fault::Fails(error) => Poll::Ready(Err(error.into())),
        })
    }

    fn note(&self, kind: Kind, moved: usize) {
        self.operations.borrow_mut().push(Operation { kind, outcome: Ok(moved) });
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Faulty<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if let Some(fault) = self.fault(cx, Kind::Read, Ok(())) {
            return fault;
        }
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
        self.note(Kind::Read, buf.filled().len() - before);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Faulty<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(buf)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if let Some(fault) = self.fault(cx, Kind::Write, Ok(0)) {
            return fault;
        }
        let count = ready!(Pin::new(&mut self.stream).poll_write_vectored(cx, bufs))?;
        self.note(Kind::Write, count);
        Poll::Ready(Ok(count))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Some(fault) = self.fault(cx, Kind::Flush, Err(io::ErrorKind::WriteZero.into())) {
            return fault;
        }
        ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
        self.note(Kind::Flush, 0);
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Some(fault) = self.fault(cx, Kind::Shutdown, Err(io::ErrorKind::WriteZero.into())) {
            return fault;
        }
        ready!(Pin::new(&mut self.stream).poll_shutdown(cx))?;
        self.note(Kind::Shutdown, 0);
        Poll::Ready(Ok(()))
    }
}
