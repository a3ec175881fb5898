use std::future::{Future, poll_fn};
use std::pin::pin;
use std::time::{Duration, Instant};

use fullduplex_net::Socket;
use fullduplex_net::proto::{CloseCode, CloseFrame, Closed, Received};
use tokio::time::{sleep, timeout};

/// What was heard of an open connection, from its first ping to its end.
#[derive(Debug, Default)]
pub(super) struct Talk {
    pub(super) asked: usize,
    /// Of the pings that were answered, in order.
    pub(super) round_trips: Vec<Duration>,
    /// Messages that came unasked.
    pub(super) messages: usize,
    /// Whether the server sent its Close before it had ours.
    pub(super) server_closed_first: bool,
    pub(super) end: Option<End>,
}

/// How it ended.
#[derive(Debug)]
pub(super) struct End {
    pub(super) closed: Closed,
    /// What the transport or the protocol has to say about it.
    pub(super) failure: Option<String>,
    /// From our Close to the server's.
    pub(super) answered: Option<Duration>,
    /// From the later Close to the end of the connection.
    pub(super) ended: Duration,
    pub(super) ended_by: Side,
}

/// Who ended the connection below.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Server,
    /// It was for the server to do, which took too long (RFC6455-7.1.1-2).
    Client,
}

/// How often to ask, and how long to wait.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    pub(super) pings: u32,
    pub(super) interval: Duration,
    pub(super) patience: Duration,
}

/// How long a connection may take to close that somebody interrupts.
const INTERRUPTED: Duration = Duration::from_millis(900);

impl Talk {
    /// Pings the server and closes, earlier if the user interrupts.
    pub(super) async fn hold(socket: &mut Socket, pace: Pace) -> Self {
        let mut talk = Self::default();
        let mut interrupted = Box::pin(tokio::signal::ctrl_c());
        let is_interrupted = tokio::select! {
            () = talk.ping(socket, pace) => false,
            _ = &mut interrupted => true,
        };
        let closing = talk.close(socket, pace.patience);
        if is_interrupted {
            timeout(INTERRUPTED, closing).await.ok();
        } else {
            tokio::select! {
                () = closing => {}
                _ = &mut interrupted => {}
            }
        }
        talk
    }

    async fn ping(&mut self, socket: &mut Socket, pace: Pace) {
        for number in 0..pace.pings {
            let payload = number.to_be_bytes();
            if socket.ping(&payload).is_err() {
                return;
            }
            self.asked += 1;
            let sent = Instant::now();
            // Once without an answer, it is not asked again.
            match timeout(pace.patience, self.pong(socket, &payload)).await {
                Ok(Some(())) => self.round_trips.push(sent.elapsed()),
                Ok(None) | Err(_) => return,
            }
            let pause = if number + 1 < pace.pings { pace.interval } else { Duration::ZERO };
            if self.listen_until(socket, sleep(pause)).await.is_err() {
                return;
            }
        }
    }

    /// Waits for a Pong; `None` when the connection closes first.
    async fn pong(&mut self, socket: &mut Socket, payload: &[u8]) -> Option<()> {
        loop {
            match self.next(socket).await? {
                Received::Pong(pong) if pong == payload => return Some(()),
                Received::Close(_) => return None,
                _ => {}
            }
        }
    }

    /// Takes what comes meanwhile; fails when the connection closes.
    async fn listen_until(
        &mut self,
        socket: &mut Socket,
        pause: impl Future<Output = ()>,
    ) -> Result<(), ()> {
        let mut pause = pin!(pause);
        loop {
            tokio::select! {
                biased;
                () = &mut pause => return Ok(()),
                event = self.next(socket) => {
                    if matches!(event, None | Some(Received::Close(_))) {
                        return Err(());
                    }
                }
            }
        }
    }

    async fn next(&mut self, socket: &mut Socket) -> Option<Received> {
        let event = poll_fn(|cx| socket.poll_event(cx)).await;
        match event {
            Some(Received::Message(_)) => self.messages += 1,
            Some(Received::Close(_)) => self.server_closed_first = true,
            _ => {}
        }
        event
    }

    async fn close(&mut self, socket: &mut Socket, patience: Duration) {
        let start = Instant::now();
        socket.start_close(Some(&CloseFrame::code(CloseCode::NORMAL)));
        let mut heard = None;
        while let Some(event) = poll_fn(|cx| socket.poll_event(cx)).await {
            match event {
                Received::Close(_) => heard = Some(start.elapsed()),
                Received::Message(_) => self.messages += 1,
                _ => {}
            }
        }
        let all = start.elapsed();
        let ended = all.saturating_sub(heard.unwrap_or_default());
        let Some(closed) = socket.close_result() else { return };
        // The deadline began with the first Close, and little else ends a connection so late.
        let late = all >= patience.mul_f32(0.9);
        self.end = Some(End {
            failure: socket.error().map(|error| error.to_string()),
            closed,
            answered: heard,
            ended,
            ended_by: if late { Side::Client } else { Side::Server },
        });
    }

    /// The round trip that this part of all did not exceed.
    pub(super) fn percentile(&self, part: f64) -> Option<Duration> {
        let mut sorted = self.round_trips.clone();
        sorted.sort_unstable();
        let rank = (part * sorted.len() as f64).ceil() as usize;
        sorted.get(rank.saturating_sub(1)).copied()
    }

    /// Whether the connection closed in order.
    pub(super) fn is_clean(&self) -> bool {
        self.end.as_ref().is_some_and(|end| end.closed.was_clean())
    }
}
