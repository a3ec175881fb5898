use std::future::{Future, poll_fn};
use std::pin::pin;
use std::time::{Duration, Instant};

use fullduplex_net::Socket;
use fullduplex_net::proto::{CloseCode, CloseFrame, Closed, Received};
use tokio::time::{sleep, timeout};

use crate::interrupt::Interrupt;

/// The results of an open connection, from the first ping to the end.
#[derive(Debug, Default)]
pub(super) struct Talk {
    pub(super) asked: usize,
    /// The round trips of the answered pings, in order.
    pub(super) round_trips: Vec<Duration>,
    /// The number of messages that the server sent.
    pub(super) messages: usize,
    /// Whether the server sent its Close before it received our Close.
    pub(super) server_closed_first: bool,
    pub(super) end: Option<End>,
}

/// How a connection ended.
#[derive(Debug)]
pub(super) struct End {
    pub(super) closed: Closed,
    /// The error of the transport or the protocol.
    pub(super) failure: Option<String>,
    /// The time from our Close to the Close of the server.
    pub(super) answered: Option<Duration>,
    /// The time from the later Close to the end of the connection.
    pub(super) ended: Duration,
    pub(super) ended_by: EndedBy,
}

/// Who ended the TCP connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum EndedBy {
    Server,
    /// The client. The server should have ended the connection, but took too long (RFC6455-7.1.1-2).
    Client,
}

/// How many pings to send, and how long to wait.
#[derive(Debug, Clone, Copy)]
pub(super) struct PingPlan {
    pub(super) pings: u32,
    pub(super) interval: Duration,
    pub(super) timeout: Duration,
}

impl Talk {
    /// Pings the server, then closes. Closes earlier if the user interrupts.
    pub(super) async fn hold(socket: &mut Socket, plan: PingPlan, interrupt: &Interrupt) -> Self {
        let mut talk = Self::default();
        let code = tokio::select! {
            () = talk.ping(socket, plan) => CloseCode::NORMAL,
            () = interrupt.first() => CloseCode::GOING_AWAY,
        };
        tokio::select! {
            () = talk.close(socket, code, plan.timeout) => {}
            () = interrupt.grace() => {}
        }
        talk
    }

    async fn ping(&mut self, socket: &mut Socket, plan: PingPlan) {
        for number in 0..plan.pings {
            let payload = number.to_be_bytes();
            if socket.ping(&payload).is_err() {
                return;
            }
            self.asked += 1;
            let sent = Instant::now();
            // After an unanswered Ping, no further Ping is sent.
            match timeout(plan.timeout, self.pong(socket, &payload)).await {
                Ok(Some(())) => self.round_trips.push(sent.elapsed()),
                Ok(None) | Err(_) => return,
            }
            let pause = if number + 1 < plan.pings { plan.interval } else { Duration::ZERO };
            if self.listen_until(socket, sleep(pause)).await.is_err() {
                return;
            }
        }
    }

    /// Waits for a Pong. Returns `None` if the connection closes first.
    async fn pong(&mut self, socket: &mut Socket, payload: &[u8]) -> Option<()> {
        loop {
            match self.next(socket).await? {
                Received::Pong(pong) if pong == payload => return Some(()),
                Received::Close(_) => return None,
                _ => {}
            }
        }
    }

    /// Receives events during `pause`. Fails if the connection closes.
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

    async fn close(&mut self, socket: &mut Socket, code: CloseCode, timeout: Duration) {
        let start = Instant::now();
        socket.start_close(Some(&CloseFrame::code(code)));
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
        // The deadline started with the first Close. If a connection ends this late, the cause is
        // almost certainly the deadline.
        let late = all >= timeout.mul_f32(0.9);
        self.end = Some(End {
            failure: socket.error().map(|error| error.to_string()),
            closed,
            answered: heard,
            ended,
            ended_by: if late { EndedBy::Client } else { EndedBy::Server },
        });
    }

    /// Returns a percentile: the time that this part of all round trips did not exceed.
    pub(super) fn percentile(&self, part: f64) -> Option<Duration> {
        let mut sorted = self.round_trips.clone();
        sorted.sort_unstable();
        let rank = (part * sorted.len() as f64).ceil() as usize;
        sorted.get(rank.saturating_sub(1)).copied()
    }

    /// Returns whether the connection closed cleanly.
    pub(super) fn is_clean(&self) -> bool {
        self.end.as_ref().is_some_and(|end| end.closed.was_clean())
    }
}
