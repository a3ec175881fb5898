use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use fullduplex_net::proto::{CloseCode, CloseFrame, Message, Received, Url};
use fullduplex_net::{ConnectError, ConnectOptions, Socket, connect};
use tokio::sync::{Semaphore, watch};
use tokio::time::{Instant, sleep_until, timeout};

use super::pacer::Pacer;
use super::payload::Payload;
use super::record::{Record, Sent};
use super::watch::{TICK, Watch};

/// State that the connections of a run share, on one thread.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) url: Url,
    pub(super) options: ConnectOptions,
    pub(super) connections: u32,
    pub(super) load: Load,
    pub(super) payload: Payload,
    pub(super) handshakes: Semaphore,
    pub(super) phase: watch::Receiver<RunPhase>,
    /// The start of the run, from which all times count.
    pub(super) start: Instant,
    pub(super) record: RefCell<Record>,
    pub(super) watch: RefCell<Watch>,
    pub(super) counts: Counts,
}

#[derive(Debug, Default)]
pub(super) struct Counts {
    /// Connections that were opened or failed.
    pub(super) settled: Cell<u32>,
    pub(super) opened: Cell<u32>,
    /// Connections that are open now.
    pub(super) open: Cell<u32>,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Load {
    /// Messages per second, over all connections.
    Open { rate: f64 },
    /// Messages in flight, on each connection.
    Closed { in_flight: usize },
}

#[derive(Debug, Clone, Copy)]
pub(super) enum RunPhase {
    Sending,
    /// Waiting for the answers to the messages in flight, for at most this time.
    Ending {
        patience: Duration,
    },
}

/// The high-water mark of queued bytes. While more bytes are queued, no further message is queued.
const HIGH_WATER: u64 = 1 << 20;

/// The number of messages that are sent before other tasks run.
const BURST: usize = 64;

/// The number of messages with which an answer is compared, if the messages contain no numbers.
const SEARCHED: usize = 128;

/// The timeout of the closing handshake.
const GOODBYE: Duration = Duration::from_millis(500);

impl Run {
    pub(super) fn now(&self) -> Duration {
        self.start.elapsed()
    }

    /// Opens connection `number` at the time `at`, and sends messages until the run ends.
    pub(super) async fn connection(self: Rc<Self>, number: u32, at: Instant) {
        sleep_until(at).await;
        let mut phase = self.phase.clone();
        let opened = tokio::select! {
            biased;
            _ = phase.wait_for(|phase| matches!(phase, RunPhase::Ending { .. })) => return,
            opened = self.open() => opened,
        };
        let counts = &self.counts;
        counts.settled.set(counts.settled.get() + 1);
        match opened {
            Err(error) => self.record.borrow_mut().handle_error(&with_advice(&error)),
            Ok(socket) => {
                counts.opened.set(counts.opened.get() + 1);
                counts.open.set(counts.open.get() + 1);
                let pace = match self.load {
                    Load::Open { rate } => {
                        Pace::Open(Pacer::new(rate, self.connections, number, self.now()))
                    }
                    Load::Closed { in_flight } => Pace::Closed { in_flight },
                };
                let run = Rc::clone(&self);
                let conversation = Conversation {
                    run,
                    socket,
                    pace,
                    in_flight: VecDeque::new(),
                    unanswered: 0,
                    sent: 0,
                };
                let lost = conversation.hold(phase).await;
                counts.open.set(counts.open.get() - 1);
                if let Err(reason) = lost {
                    self.record.borrow_mut().handle_error(&reason);
                }
            }
        }
    }

    async fn open(&self) -> Result<Socket, ConnectError> {
        // The semaphore is never closed.
        let _permit = self.handshakes.acquire().await.ok();
        let start = self.now();
        let (socket, _) = connect(&self.url, &self.options).await?;
        self.record.borrow_mut().connecting.add(self.now() - start);
        Ok(socket)
    }
}

/// One open connection.
struct Conversation {
    run: Rc<Run>,
    socket: Socket,
    pace: Pace,
    /// The messages that were sent, in order, starting with the first unanswered one.
    in_flight: VecDeque<Sent>,
    /// The number of unanswered messages.
    unanswered: usize,
    sent: u64,
}

enum Pace {
    Open(Pacer),
    Closed { in_flight: usize },
}

impl Conversation {
    /// Sends and receives until the run ends. Fails if the connection ends earlier.
    async fn hold(mut self, mut phase: watch::Receiver<RunPhase>) -> Result<(), String> {
        let patience = loop {
            let is_blocked = self.is_blocked().await;
            let next = self.send_due(is_blocked);
            let next = self.run.start + next.unwrap_or(Duration::from_secs(3600));
            tokio::select! {
                biased;
                _ = phase.changed() => {
                    if let RunPhase::Ending { patience } = *phase.borrow_and_update() {
                        break patience;
                    }
                }
                event = poll_fn(|cx| self.socket.poll_event(cx)) => self.handle_event(event)?,
                () = sleep_until(next) => {}
            }
        };
        let is_blocked = self.is_blocked().await;
        self.end_sending(is_blocked);
        let answers = async {
            while self.unanswered > 0 {
                let event = poll_fn(|cx| self.socket.poll_event(cx)).await;
                self.handle_event(event)?;
            }
            Ok::<(), String>(())
        };
        timeout(patience, answers).await.unwrap_or(Ok(()))?;
        let goodbye = CloseFrame::code(CloseCode::NORMAL);
        match timeout(GOODBYE, self.socket.close(Some(goodbye))).await {
            Ok(Err(error)) => Err(format!("while closing: {error}")),
            // The duration of the closing handshake is not measured.
            Ok(Ok(_)) | Err(_) => Ok(()),
        }
    }

    /// Tries to write. Returns whether the transport accepts no more data.
    async fn is_blocked(&mut self) -> bool {
        if self.socket.queued_bytes() > HIGH_WATER {
            // The next receive reports an error.
            let _tried = poll_fn(|cx| Poll::Ready(self.socket.poll_flush(cx))).await;
        }
        self.socket.queued_bytes() > HIGH_WATER
    }

    /// Sends the messages that are due. Returns when to check again, if nothing arrives before.
    fn send_due(&mut self, is_blocked: bool) -> Option<Duration> {
        let now = self.run.now();
        match &mut self.pace {
            Pace::Closed { in_flight } => {
                for _ in self.unanswered..*in_flight {
                    self.send(now, Duration::ZERO);
                }
                None
            }
            Pace::Open(pacer) if is_blocked => {
                pacer.handle_blocked(now);
                Some(now + TICK)
            }
            Pace::Open(pacer) => {
                let due: Vec<_> = std::iter::from_fn(|| pacer.poll_due(now)).take(BURST).collect();
                let next = pacer.due();
                due.into_iter().for_each(|due| self.send(due.intended, due.own_delay));
                Some(next)
            }
        }
    }

    fn send(&mut self, intended: Duration, own_delay: Duration) {
        let sent = Sent { number: self.sent, intended, own_delay, is_answered: false };
        // If the connection is ending, the message is lost like the messages in flight.
        self.socket.queue(self.run.payload.message(sent.number)).ok();
        self.sent += 1;
        self.in_flight.push_back(sent);
        self.unanswered += 1;
        self.run.record.borrow_mut().handle_sent(&sent);
    }

    /// Sends the messages that have become due, and counts the rest as not sent.
    fn end_sending(&mut self, is_blocked: bool) {
        if let Pace::Closed { .. } = self.pace {
            return;
        }
        self.send_due(is_blocked);
        let now = self.run.now();
        if let Pace::Open(pacer) = &mut self.pace {
            let mut record = self.run.record.borrow_mut();
            while let Some(due) = pacer.poll_due(now) {
                record.handle_not_sent(due.intended, is_blocked);
            }
        }
    }

    fn handle_event(&mut self, event: Option<Received>) -> Result<(), String> {
        let now = self.run.now();
        match event {
            Some(Received::Message(message)) => {
                self.handle_answer(&message, now);
                while let Some(message) = self.socket.try_recv() {
                    self.handle_answer(&message, now);
                }
                Ok(())
            }
            Some(_) => Ok(()),
            None => Err(match (self.socket.error(), self.socket.close_result()) {
                (Some(error), _) => error.to_string(),
                (None, Some(closed)) => {
                    format!("the server closed with code {} \"{}\"", closed.code(), closed.reason())
                }
                (None, None) => "the connection ended".to_owned(),
            }),
        }
    }

    fn handle_answer(&mut self, answer: &Message, now: Duration) {
        let found = self.find(answer);
        let mut record = self.run.record.borrow_mut();
        match found {
            None => record.handle_unsolicited(),
            Some(sent) if self.run.payload.is_echo(answer, sent.number) => {
                let stalled = self.run.watch.borrow().stalled(sent.start(), now);
                record.handle_answer(&sent, now, stalled);
            }
            Some(sent) => {
                record.handle_mismatch(
                    &sent,
                    "an answer differs from its message: is it an echo server?",
                );
            }
        }
    }

    /// Takes the message to which `answer` belongs: the message with the same number. If messages are
    /// too short for numbers, takes the first message in flight with the same content.
    fn find(&mut self, answer: &Message) -> Option<Sent> {
        let payload = &self.run.payload;
        let at = if payload.has_number() {
            let first = self.in_flight.front()?.number;
            let number = payload.number_of(answer)?;
            usize::try_from(number.checked_sub(first)?).ok()?
        } else {
            let mut first = self.in_flight.iter().take(SEARCHED);
            first.position(|sent| !sent.is_answered && payload.is_echo(answer, sent.number))?
        };
        let sent = self.in_flight.get_mut(at).filter(|sent| !sent.is_answered)?;
        let found = *sent;
        sent.is_answered = true;
        self.unanswered -= 1;
        while self.in_flight.front().is_some_and(|sent| sent.is_answered) {
            self.in_flight.pop_front();
        }
        Some(found)
    }
}

/// Describes an error, with advice if it is a limit of this machine.
fn with_advice(error: &ConnectError) -> String {
    let failures = match error {
        ConnectError::Tcp { failures } => &failures[..],
        _ => &[],
    };
    let has = |is_limit: fn(&io::Error) -> bool| failures.iter().any(|it| is_limit(&it.error));
    if has(|error| cfg!(unix) && error.raw_os_error() == Some(EMFILE)) {
        "this machine allows no more open files: raise `ulimit -n` above the number of connections"
            .into()
    } else if has(|error| error.kind() == io::ErrorKind::AddrNotAvailable) {
        "this machine has no more ports for that address: open fewer connections, or use another --bind".into()
    } else {
        error.to_string()
    }
}

/// The code of the error, which is the same on every Unix.
const EMFILE: i32 = 24;
