use std::fmt;
use std::future::poll_fn;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use bytes::{Buf, BytesMut};
use h2::{FlowControl, Reason, RecvStream};
use tokio::io::ReadBuf;
use tokio::time::timeout;

use crate::http2::error::io_error;

/// How long a stream that was shut down and dropped waits for the END_STREAM of the peer.
const LINGER: Duration = Duration::from_secs(5);

/// The bytes that a stream has received and its socket has not read.
///
/// A task moves them here at once. `h2` would keep each DATA frame on its own, which takes about 256 bytes more,
/// and it ends a connection that keeps too many small frames. The windows open when the bytes are read.
pub(crate) struct Inbox {
    shared: Arc<Shared>,
    flow: FlowControl,
}

#[derive(Default)]
struct Shared(Mutex<State>);

#[derive(Default)]
struct State {
    unread: BytesMut,
    /// How the peer has ended the stream. An error is returned once.
    end: Option<io::Result<()>>,
    reader: Option<Waker>,
    filler: Option<Waker>,
    receiving: Receiving,
}

/// What happens to received bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Receiving {
    #[default]
    Kept,
    /// They are discarded until END_STREAM.
    Discarded,
    /// They are not received any more.
    Stopped,
}

impl Inbox {
    pub(crate) fn new(mut recv: RecvStream) -> Self {
        let shared = Arc::new(Shared::default());
        let flow = recv.flow_control().clone();
        tokio::spawn(fill(recv, Filler(Arc::clone(&shared))));
        Self { shared, flow }
    }

    /// Reads what was received. Reads nothing at the end of the stream.
    pub(crate) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut state = self.shared.lock();
        if state.unread.is_empty() {
            let Some(end) = &mut state.end else {
                state.reader = Some(cx.waker().clone());
                return Poll::Pending;
            };
            return Poll::Ready(std::mem::replace(end, Ok(())));
        }
        let count = state.unread.len().min(buf.remaining());
        buf.put_slice(&state.unread[..count]);
        state.unread.advance(count);
        if state.unread.is_empty() {
            state.unread = BytesMut::new();
        }
        drop(state);
        // It can only fail for a stream that has ended, whose window does not matter.
        self.flow.release_capacity(count).ok();
        Poll::Ready(Ok(()))
    }

    /// Returns whether END_STREAM was received and everything before it was read.
    pub(crate) fn has_ended(&self) -> bool {
        let state = self.shared.lock();
        state.unread.is_empty() && matches!(state.end, Some(Ok(())))
    }

    /// Discards what the peer sends until END_STREAM, after this inbox was dropped. Otherwise `h2` would send
    /// RST_STREAM.
    pub(crate) fn linger(&self) {
        self.shared.lock().receiving = Receiving::Discarded;
    }
}

impl Drop for Inbox {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        if state.receiving == Receiving::Kept {
            state.receiving = Receiving::Stopped;
        }
        let (unread, filler) = (state.unread.len(), state.filler.take());
        drop(state);
        self.flow.release_capacity(unread).ok();
        if let Some(filler) = filler {
            filler.wake();
        }
    }
}

impl fmt::Debug for Inbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.shared.lock();
        let mut debug = f.debug_struct("Inbox");
        debug.field("unread", &state.unread.len()).field("end", &state.end).finish()
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Moves received bytes, until the peer ends the stream or the inbox is dropped.
    fn poll_fill(&self, recv: &mut RecvStream, cx: &mut Context<'_>) -> Poll<Receiving> {
        let mut state = self.lock();
        while state.receiving == Receiving::Kept && state.end.is_none() {
            let Poll::Ready(data) = recv.poll_data(cx) else {
                state.filler = Some(cx.waker().clone());
                return Poll::Pending;
            };
            match data {
                Some(Ok(bytes)) => state.unread.extend_from_slice(&bytes),
                None => state.end = Some(Ok(())),
                // RFC 9113 section 8.1: a server may end a request that it has answered in this way.
                Some(Err(error)) if error.reason() == Some(Reason::NO_ERROR) => {
                    state.end = Some(Ok(()));
                }
                Some(Err(error)) => state.end = Some(Err(io_error(error))),
            }
            if let Some(reader) = state.reader.take() {
                reader.wake();
            }
        }
        Poll::Ready(state.receiving)
    }
}

/// Fills an inbox. It ends the inbox if its task ends early, together with the runtime.
struct Filler(Arc<Shared>);

impl Drop for Filler {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.end.get_or_insert_with(|| Err(io::ErrorKind::ConnectionAborted.into()));
        if let Some(reader) = state.reader.take() {
            reader.wake();
        }
    }
}

async fn fill(mut recv: RecvStream, filler: Filler) {
    let receiving = poll_fn(|cx| filler.0.poll_fill(&mut recv, cx)).await;
    if receiving == Receiving::Discarded {
        let discarding = poll_fn(|cx| {
            while let Some(Ok(bytes)) = ready!(recv.poll_data(cx)) {
                recv.flow_control().release_capacity(bytes.len()).ok();
            }
            Poll::Ready(())
        });
        timeout(LINGER, discarding).await.ok();
    }
}
