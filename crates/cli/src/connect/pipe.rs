//! Lines of stdin become messages, messages lines of stdout.

use std::time::Duration;

use fullduplex::{
    CloseEvent, Message, ReconnectingEvent, ReconnectingEvents, ReconnectingWebSocket,
};
use futures_util::StreamExt;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader, Lines, Stdin};
use tokio::time::{Instant, sleep_until, timeout};

use super::args::{Connect, Input, Wait};
use super::show::{Show, in_words, print};
use super::{form, verdict};
use crate::exit::Failure;
use crate::output::not_written;

/// Lines are read while less than this waits for the network.
const HIGH_WATER: u64 = 1 << 20;

/// How long a line that is on its way into stdin may take.
const MOMENT: Duration = Duration::from_millis(200);

pub(super) async fn run(socket: &ReconnectingWebSocket, args: &Connect) -> Result<(), Failure> {
    let pipe = Pipe {
        socket,
        events: socket.events(),
        source: Source { lines: BufReader::new(tokio::io::stdin()).lines(), input: args.input },
        show: Show::new(&args.printing),
        wait: args.wait,
        left: args.count,
        due: 0,
        undelivered: 0,
        stage: Stage::Connecting,
        unusable: None,
    };
    pipe.run().await
}

struct Pipe<'a> {
    socket: &'a ReconnectingWebSocket,
    events: ReconnectingEvents,
    source: Source,
    show: Show,
    wait: Wait,
    /// How many messages may still come, if there is an end to them.
    left: Option<u64>,
    /// The messages that were sent and not yet answered, if each has one answer.
    due: u64,
    undelivered: u64,
    stage: Stage,
    /// What cannot be sent; what came before it is still sent and answered.
    unusable: Option<String>,
}

/// How far the pipe has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Nothing is read before there is somebody to send it to.
    Connecting,
    /// Lines are read and sent.
    Sending,
    /// The input has ended; answers are awaited until then, or for ever.
    Awaiting(Option<Instant>),
    Closing,
}

impl Pipe<'_> {
    async fn run(mut self) -> Result<(), Failure> {
        loop {
            if matches!(self.stage, Stage::Awaiting(Some(_))) && self.due == 0 {
                self.close();
            }
            let deadline = match self.stage {
                Stage::Awaiting(at) => at,
                _ => None,
            };
            let reading = self.stage == Stage::Sending;
            let has_room = self.socket.buffered_amount() < HIGH_WATER;
            tokio::select! {
                event = self.events.next() => match event {
                    Some(ReconnectingEvent::Close(close)) => return self.end(&close).await,
                    Some(event) => self.handle(&event)?,
                    None => return Ok(()),
                },
                message = self.source.next(), if reading && has_room => self.send(message)?,
                () = self.socket.buffered_below(HIGH_WATER), if reading && !has_room => {}
                () = sleep_until(deadline.unwrap_or_else(Instant::now)), if deadline.is_some() => {
                    self.due = 0;
                }
            }
        }
    }

    fn handle(&mut self, event: &ReconnectingEvent) -> Result<(), Failure> {
        let line = match event {
            ReconnectingEvent::Open => {
                if self.stage == Stage::Connecting {
                    self.stage = Stage::Sending;
                }
                self.show.opened(self.socket)
            }
            ReconnectingEvent::Message(message) => {
                if self.left != Some(0) {
                    print(&self.show.message(message)).map_err(not_written)?;
                }
                self.count_message();
                None
            }
            ReconnectingEvent::Lost(lost) => {
                let line = self.show.lost(lost);
                if line.is_none() {
                    anstream::eprintln!("fdx: {}", in_words(lost));
                }
                line
            }
            ReconnectingEvent::Undelivered(undelivered) => {
                self.undelivered += undelivered.count;
                self.due = self.due.saturating_sub(undelivered.count);
                self.show.undelivered(undelivered)
            }
            _ => None,
        };
        match line {
            Some(line) => print(format!("{line}\n").as_bytes()).map_err(not_written),
            None => Ok(()),
        }
    }

    fn count_message(&mut self) {
        self.due = self.due.saturating_sub(1);
        if let (Stage::Awaiting(Some(at)), Wait::For(wait)) = (&mut self.stage, self.wait) {
            *at = Instant::now() + wait;
        }
        if let Some(left) = &mut self.left {
            *left = left.saturating_sub(1);
            if *left == 0 {
                self.close();
            }
        }
    }

    /// Sends what was read, if it was not the end.
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
        // Who waits for so many messages waits for them.
        self.stage = Stage::Awaiting(match self.wait {
            Wait::For(wait) if self.left.is_none() => Some(Instant::now() + wait),
            _ => None,
        });
    }

    fn close(&mut self) {
        self.socket.close();
        self.stage = Stage::Closing;
    }

    async fn end(mut self, close: &CloseEvent) -> Result<(), Failure> {
        if let Some(line) = self.show.closed(close) {
            print(format!("{line}\n").as_bytes()).map_err(not_written)?;
        }
        verdict(self.socket.failure().filter(|_| !close.was_clean), close)?;
        if let Some(reason) = self.unusable {
            return Err(format!("stdin: {reason}").into());
        }
        if self.undelivered > 0 {
            return Err(
                format!("{} messages were not sent, or perhaps not", self.undelivered).into()
            );
        }
        if self.left.is_some_and(|left| left > 0) {
            return Err("the server closed before so many messages had come".into());
        }
        let all_sent = match self.stage {
            Stage::Sending => self.source.has_ended().await,
            _ => true,
        };
        if all_sent && (self.due == 0 || self.left.is_some()) {
            return Ok(());
        }
        Err("the server closed before all was sent and answered".into())
    }
}

/// Where messages come from.
struct Source {
    lines: Lines<BufReader<Stdin>>,
    input: Input,
}

impl Source {
    /// The next message, or why there is none. It may be dropped while it waits for a line.
    async fn next(&mut self) -> Result<Option<Message>, String> {
        if matches!(self.input, Input::File | Input::TextFile) {
            return self.whole().await;
        }
        let line = self.lines.next_line().await;
        let line = line.map_err(|error| format!("it cannot be read as text: {error}"))?;
        line.map(|line| form::message(&line, self.input)).transpose()
    }

    /// All that is left, once.
    async fn whole(&mut self) -> Result<Option<Message>, String> {
        let mut bytes = Vec::new();
        let read = self.lines.get_mut().read_to_end(&mut bytes).await;
        read.map_err(|error| error.to_string())?;
        let is_text = self.input == Input::TextFile;
        self.input = Input::Text; // of which nothing is left
        if !is_text {
            return Ok(Some(bytes.into()));
        }
        let text = String::from_utf8(bytes).map_err(|_| "it is no text in UTF-8".to_owned())?;
        Ok(Some(text.into()))
    }

    /// Whether nothing further is to come, as far as can be told in a moment: one who types, or a slow
    /// program, had nothing to say when the server closed.
    async fn has_ended(&mut self) -> bool {
        !matches!(timeout(MOMENT, self.lines.next_line()).await, Ok(Ok(Some(_))))
    }
}
