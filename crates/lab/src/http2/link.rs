//! A stream in memory that splits and delays bytes, and that can fail.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

use crate::rng::Rng;

/// How a link behaves until it fails.
#[derive(Debug, Clone, Copy)]
pub(super) struct Quality {
    /// How many bytes each direction holds.
    pub(super) capacity: usize,
    /// The longest delay of a write, in milliseconds.
    pub(super) latency: u64,
}

/// What happens to all connections that are open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Fault {
    /// Both ends get a reset.
    Cut,
    /// No more bytes arrive, and no end learns of it.
    Vanish,
    /// No bytes arrive for a time in which no deadline passes.
    Stall(Duration),
}

/// Both directions of a link, for its faults.
#[derive(Debug)]
pub(super) struct Link([Arc<Mutex<Pipe>>; 2]);

/// One end of a link.
#[derive(Debug)]
pub(super) struct LinkEnd {
    incoming: Arc<Mutex<Pipe>>,
    outgoing: Arc<Mutex<Pipe>>,
    /// Wakes the reader when the next bytes arrive.
    arrival: Option<Pin<Box<Sleep>>>,
}

/// One direction.
#[derive(Debug)]
struct Pipe {
    rng: Rng,
    quality: Quality,
    /// The written bytes, and when they arrive.
    queue: VecDeque<(Instant, Bytes)>,
    queued: usize,
    /// No bytes that are written later arrive before this instant.
    earliest: Instant,
    state: State,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    /// The writer has ended it.
    Ended,
    Reset,
    /// It takes bytes until it is full, and delivers none.
    Vanished,
}

impl Link {
    /// Creates a link, and returns the ends of the client and of the server.
    pub(super) fn new(quality: Quality, rng: &mut Rng) -> (Self, LinkEnd, LinkEnd) {
        let pipes =
            [(); 2].map(|()| Arc::new(Mutex::new(Pipe::new(quality, Rng::new(rng.next())))));
        let [up, down] = pipes.clone();
        let client = LinkEnd { incoming: down.clone(), outgoing: up.clone(), arrival: None };
        let server = LinkEnd { incoming: up, outgoing: down, arrival: None };
        (Self(pipes), client, server)
    }

    pub(super) fn fail(&self, fault: Fault) {
        for pipe in &self.0 {
            let mut pipe = lock(pipe);
            match (fault, pipe.state) {
                (Fault::Cut, _) => pipe.reset(),
                (Fault::Vanish, State::Open | State::Ended) => pipe.state = State::Vanished,
                (Fault::Stall(time), _) => pipe.stall(Instant::now() + time),
                (Fault::Vanish, _) => {}
            }
            pipe.wake();
        }
    }
}

impl Pipe {
    fn new(quality: Quality, rng: Rng) -> Self {
        Self {
            rng,
            quality,
            queue: VecDeque::new(),
            queued: 0,
            earliest: Instant::now(),
            state: State::Open,
            reader: None,
            writer: None,
        }
    }

    fn reset(&mut self) {
        self.state = State::Reset;
        self.queue.clear();
    }

    /// Delivers no bytes before `until`.
    fn stall(&mut self, until: Instant) {
        self.earliest = self.earliest.max(until);
        for (at, _) in &mut self.queue {
            *at = (*at).max(until);
        }
    }

    fn wake(&mut self) {
        self.reader.take().into_iter().chain(self.writer.take()).for_each(Waker::wake);
    }

    /// Takes some of the bytes. Returns how many, or `None` if the pipe is full.
    fn push(&mut self, bytes: &[u8]) -> Option<usize> {
        let room = self.quality.capacity.saturating_sub(self.queued).min(bytes.len());
        if room == 0 {
            return None;
        }
        let count = 1 + self.rng.below(room as u64) as usize;
        let delay = Duration::from_millis(self.rng.below(self.quality.latency + 1));
        self.earliest = self.earliest.max(Instant::now() + delay);
        self.queue.push_back((self.earliest, Bytes::copy_from_slice(&bytes[..count])));
        self.queued += count;
        self.reader.take().into_iter().for_each(Waker::wake);
        Some(count)
    }
}

impl LinkEnd {
    fn poll_pull(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        loop {
            let mut pipe = lock(&self.incoming);
            let at = match (pipe.state, pipe.queue.front()) {
                (State::Reset, _) => {
                    return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
                }
                (State::Ended, None) => return Poll::Ready(Ok(())),
                (State::Open | State::Ended, Some((at, _))) => *at,
                (State::Open, None) | (State::Vanished, _) => {
                    pipe.reader = Some(cx.waker().clone());
                    return Poll::Pending;
                }
            };
            if at <= Instant::now() {
                let Pipe { rng, queue, queued, writer, .. } = &mut *pipe;
                let (_, bytes) = queue.front_mut().expect("it was just looked at");
                let most = bytes.len().min(buf.remaining());
                let count = 1 + rng.below(most as u64) as usize;
                buf.put_slice(&bytes[..count]);
                bytes.advance(count);
                if bytes.is_empty() {
                    queue.pop_front();
                }
                *queued -= count;
                writer.take().into_iter().for_each(Waker::wake);
                return Poll::Ready(Ok(()));
            }
            pipe.reader = Some(cx.waker().clone());
            drop(pipe);
            let arrival = self.arrival.insert(Box::pin(sleep_until(at)));
            ready!(arrival.as_mut().poll(cx));
        }
    }
}

impl AsyncRead for LinkEnd {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.get_mut().poll_pull(cx, buf)
    }
}

impl AsyncWrite for LinkEnd {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let mut pipe = lock(&self.outgoing);
        if matches!(pipe.state, State::Ended | State::Reset) {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        match pipe.push(buf) {
            Some(count) => Poll::Ready(Ok(count)),
            None => {
                pipe.writer = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut pipe = lock(&self.outgoing);
        if pipe.state == State::Open {
            pipe.state = State::Ended;
            pipe.wake();
        }
        Poll::Ready(Ok(()))
    }
}

/// Ends the link as TCP does: with a reset if there are unread bytes.
impl Drop for LinkEnd {
    fn drop(&mut self) {
        let mut incoming = lock(&self.incoming);
        let is_read = incoming.queue.is_empty();
        let mut outgoing = lock(&self.outgoing);
        match outgoing.state {
            State::Open if is_read => outgoing.state = State::Ended,
            State::Open => outgoing.reset(),
            State::Ended | State::Reset | State::Vanished => {}
        }
        if incoming.state != State::Vanished {
            incoming.reset();
        }
        incoming.wake();
        outgoing.wake();
    }
}

fn lock(pipe: &Mutex<Pipe>) -> MutexGuard<'_, Pipe> {
    pipe.lock().expect("no thread panics with the lock")
}
