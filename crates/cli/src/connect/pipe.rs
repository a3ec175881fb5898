//! Sends lines of stdin as messages, and writes received messages as lines to stdout.

use std::time::Duration;

use fullduplex::{
    CloseEvent, Message, ReconnectingEvent, ReconnectingEvents, ReconnectingWebSocket,
};
use futures_util::StreamExt;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader, Lines, Stdin};
use tokio::time::{Instant, sleep_until, timeout};

use super::args::{Connect, Input, Wait};
use super::end::{go_away, interrupted, verdict};
use super::form;
use super::show::{Opened, Show, describe_loss};
use crate::context::Context;
use crate::exit::Failure;
use crate::interrupt::GRACE;

/// Lines are read while fewer bytes than this wait to be sent.
const HIGH_WATER: u64 = 1 << 20;

/// The time to wait for a line that another program is writing to stdin.
const MOMENT: Duration = Duration::from_millis(200);

pub(super) async fn run(
    socket: &ReconnectingWebSocket,
    args: &Connect,
    context: &Context,
) -> Result<(), Failure> {
    let mut pipe = Pipe {
        socket,
        context,
        events: socket.events(),
        source: Source::new(args.input),
        show: Show::new(&args.printing, context.secrets),
        wait: args.wait,
        left: args.count,
        due: args.first.len() as u64,
        undelivered: 0,
        step: PipeStep::Connecting,
        unusable: None,
        missing: None,
    };
    let outcome = tokio::select! {
        outcome = pipe.talk() => outcome,
        failure = context.output.until_failed() => Err(failure),
        () = context.interrupt.first() => {
            let close = go_away(socket, &mut pipe.events).await;
            if let Some(close) = &close {
                timeout(GRACE, pipe.show_close(close)).await.ok();
            }
            return interrupted(close.as_ref(), pipe.step != PipeStep::Connecting);
        }
    };
    match outcome? {
        Some(close) => pipe.end(&close).await,
        None => Ok(()),
    }
}

struct Pipe<'a> {
    socket: &'a ReconnectingWebSocket,
    context: &'a Context,
    events: ReconnectingEvents,
    source: Source,
    show: Show,
    wait: Wait,
    /// How many more messages may arrive, if there is a limit.
    left: Option<u64>,
    /// The number of sent messages without an answer, assuming one answer for each message.
    due: u64,
    undelivered: u64,
    step: PipeStep,
    /// Why the input ended early. Lines before the error are still sent and answered.
    unusable: Option<String>,
    /// The answers or messages that had not arrived at the end of the wait.
    missing: Option<String>,
}

/// The progress of the pipe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum PipeStep {
    /// Waiting for a connection. The input is not read yet.
    Connecting,
    /// Reading and sending lines.
    Sending,
    /// The input has ended. Waiting for answers until this time, or without limit.
    Awaiting(Option<Instant>),
    Closing,
}

impl Pipe<'_> {
    /// Runs until the socket is closed. Returns how it was closed.
    async fn talk(&mut self) -> Result<Option<CloseEvent>, Failure> {
        loop {
            self.close_when_done();
            let deadline = match self.step {
                PipeStep::Awaiting(at) => at,
                _ => None,
            };
            let reading = self.step == PipeStep::Sending;
            let has_room = self.socket.buffered_amount() < HIGH_WATER;
            tokio::select! {
                event = self.events.next() => match event {
                    Some(ReconnectingEvent::Close(close)) => return Ok(Some(close)),
                    Some(event) => self.handle(event).await,
                    None => return Ok(None),
                },
                message = self.source.next(), if reading && has_room => self.send(message)?,
                () = self.socket.buffered_below(HIGH_WATER), if reading && !has_room => {}
                () = sleep_until(deadline.unwrap_or_else(Instant::now)), if deadline.is_some() => {
                    self.give_up();
                }
            }
        }
    }

    async fn handle(&mut self, event: ReconnectingEvent) {
        let (show, output) = (self.show, &self.context.output);
        match event {
            ReconnectingEvent::Open => {
                if self.step == PipeStep::Connecting {
                    self.step = PipeStep::Sending;
                }
                self.show.restart();
                let (show, socket) = (self.show, self.socket);
                let opened = Opened {
                    url: socket.url(),
                    protocol: socket.protocol(),
                    extensions: socket.extensions(),
                };
                if show.has_events() {
                    output.print(0, move |pen| show.opened(pen, &opened)).await;
                }
            }
            ReconnectingEvent::Message(message) => {
                let now = Instant::now();
                if self.left != Some(0) {
                    let weight = message.data.as_bytes().len();
                    output.print(weight, move |pen| show.message(pen, &message, now)).await;
                }
                self.count_message();
            }
            ReconnectingEvent::Lost(lost) if show.has_events() => {
                output.print(0, move |pen| show.lost(pen, &lost)).await;
            }
            ReconnectingEvent::Lost(lost) => {
                output.note(format!("fdx: {}", describe_loss(&lost, self.context.secrets)));
            }
            ReconnectingEvent::Undelivered(undelivered) => {
                self.undelivered += undelivered.count;
                self.due = self.due.saturating_sub(undelivered.count);
                if show.has_events() {
                    output.print(0, move |pen| show.undelivered(pen, &undelivered)).await;
                }
            }
            _ => {}
        }
    }

    fn count_message(&mut self) {
        self.due = self.due.saturating_sub(1);
        if let Some(left) = &mut self.left {
            *left = left.saturating_sub(1);
        }
        if let (PipeStep::Awaiting(Some(at)), Wait::For(wait)) = (&mut self.step, self.wait) {
            *at = Instant::now() + wait;
        }
    }

    /// Sends the message that was read. The end of the input sends nothing.
    fn send(&mut self, message: Result<Option<Message>, String>) -> Result<(), Failure> {
        match message {
            Ok(Some(message)) => {
                self.socket.send(message)?;
                self.due += 1;
            }
            Ok(None) => self.stop_reading(),
            Err(reason) => {
                self.unusable = Some(reason);
                self.stop_reading();
            }
        }
        Ok(())
    }

    fn stop_reading(&mut self) {
        self.step = PipeStep::Awaiting(match self.wait {
            Wait::For(wait) => Some(Instant::now() + wait),
            Wait::Forever => None,
        });
    }

    /// Closes when everything that was requested has arrived.
    fn close_when_done(&mut self) {
        let is_done = match (self.step, self.left) {
            (PipeStep::Connecting | PipeStep::Closing, _) => false,
            (_, Some(left)) => left == 0,
            (PipeStep::Sending | PipeStep::Awaiting(None), None) => false,
            (PipeStep::Awaiting(Some(_)), None) => self.due == 0 || self.wait == NO_WAIT,
        };
        if is_done {
            self.socket.close();
            self.step = PipeStep::Closing;
        }
    }

    /// Closes without the missing answers, because the wait is over.
    fn give_up(&mut self) {
        let missing = match self.left {
            Some(left) => format!("{left} of the messages that --count asks for did not arrive"),
            None => format!("{} answers did not arrive", self.due),
        };
        self.missing = Some(format!("{missing} in time: --wait waits longer"));
        self.socket.close();
        self.step = PipeStep::Closing;
    }

    async fn show_close(&self, close: &CloseEvent) {
        let (show, close) = (self.show, close.clone());
        if show.has_events() {
            self.context.output.print(0, move |pen| show.closed(pen, &close)).await;
        }
    }

    async fn end(mut self, close: &CloseEvent) -> Result<(), Failure> {
        self.show_close(close).await;
        verdict(self.socket.failure().filter(|_| !close.was_clean), close, self.context)?;
        if let Some(reason) = self.unusable {
            return Err(format!("could not read stdin: {reason}").into());
        }
        if self.undelivered > 0 {
            return Err(format!("{} messages may not have been sent", self.undelivered).into());
        }
        if let Some(missing) = self.missing {
            return Err(missing.into());
        }
        if let Some(left) = self.left.filter(|left| *left > 0) {
            return Err(format!("the server closed {left} messages too early for --count").into());
        }
        let all_sent = match self.step {
            PipeStep::Sending => self.source.has_ended().await,
            _ => true,
        };
        let all_answered = self.due == 0 || self.left.is_some() || self.wait == NO_WAIT;
        if all_sent && all_answered {
            return Ok(());
        }
        Err("the server closed before everything was sent and answered".into())
    }
}

/// Means not to wait for answers.
const NO_WAIT: Wait = Wait::For(Duration::ZERO);

/// The source of messages.
struct Source {
    lines: Lines<BufReader<Stdin>>,
    input: Input,
    /// The bytes read so far, if all of stdin is one message.
    bytes: Vec<u8>,
}

impl Source {
    fn new(input: Input) -> Self {
        Self { lines: BufReader::new(tokio::io::stdin()).lines(), input, bytes: Vec::new() }
    }

    /// Returns the next message, or an error. Cancel safe.
    async fn next(&mut self) -> Result<Option<Message>, String> {
        if matches!(self.input, Input::File | Input::TextFile) {
            return self.whole().await;
        }
        let line = self.lines.next_line().await;
        let line = line.map_err(|error| format!("{error}; --input file sends any bytes"))?;
        line.map(|line| form::message(&line, self.input)).transpose()
    }

    /// Returns the rest of the input, once. Cancel safe: keeps what it has read.
    async fn whole(&mut self) -> Result<Option<Message>, String> {
        let read = |error: std::io::Error| error.to_string();
        while self.lines.get_mut().read_buf(&mut self.bytes).await.map_err(read)? > 0 {}
        let is_text = self.input == Input::TextFile;
        self.input = Input::Text; // the input is empty now
        let bytes = std::mem::take(&mut self.bytes);
        if !is_text {
            return Ok(Some(bytes.into()));
        }
        let text = String::from_utf8(bytes);
        let text = text.map_err(|_| "it is not UTF-8; --input file sends any bytes".to_owned())?;
        Ok(Some(text.into()))
    }

    /// Returns whether the input seems to have ended, because no line arrives within [`MOMENT`]. If the
    /// server closes in this case, all lines were sent.
    async fn has_ended(&mut self) -> bool {
        !matches!(timeout(MOMENT, self.lines.next_line()).await, Ok(Ok(Some(_))))
    }
}
