mod args;

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::time::Duration;

use fullduplex::{Builder, CloseEvent, Event, Failure as Cause, MessageEvent, WebSocket};
use futures_util::StreamExt;
use tokio::io::{AsyncBufReadExt, BufReader, Lines, Stdin};
use tokio::time::{Instant, sleep_until, timeout};

pub(crate) use self::args::Connect;
use crate::exit::{Failure, not_connected, usage};

/// Lines are read while less than this waits for the network.
const HIGH_WATER: u64 = 1 << 20;

/// How long a line that is on its way into stdin may take.
const MOMENT: Duration = Duration::from_millis(200);

pub(crate) async fn run(args: Connect) -> Result<(), Failure> {
    let builder = args.client.builder()?;
    if args.echo { echo(builder).await } else { pipe(builder, args.wait).await }
}

/// Sends every message back until the server closes.
async fn echo(builder: Builder) -> Result<(), Failure> {
    let socket = builder.open_with(|socket| {
        socket.set_onmessage(|socket, message| {
            // A message arrives on an open socket only, or on one that drops what is sent.
            socket.send(message.data.clone()).ok();
        });
    });
    let socket = socket.map_err(usage)?;
    verdict(&socket, &socket.closed().await)
}

/// How far the pipe has come.
enum Stage {
    /// Lines are read and sent.
    Sending,
    /// The input has ended; answers are awaited until then.
    Awaiting(Instant),
    Closing,
}

async fn pipe(builder: Builder, wait: Duration) -> Result<(), Failure> {
    let socket = builder.open().map_err(usage)?;
    let mut events = socket.events();
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    // The messages that were sent and not yet answered, if each has one answer.
    let mut due = 0u64;
    let mut stage = Stage::Sending;
    // What came before it is still sent and answered.
    let mut unreadable = None;
    wait_for_open(&socket, &mut events).await?;
    loop {
        let deadline = match stage {
            Stage::Awaiting(_) if due == 0 => {
                socket.close();
                stage = Stage::Closing;
                None
            }
            Stage::Awaiting(at) => Some(at),
            Stage::Sending | Stage::Closing => None,
        };
        let reading = matches!(stage, Stage::Sending);
        let has_room = socket.buffered_amount() < HIGH_WATER;
        tokio::select! {
            event = events.next() => match event {
                Some(Event::Message(message)) => {
                    due = due.saturating_sub(1);
                    if let Stage::Awaiting(at) = &mut stage {
                        *at = Instant::now() + wait;
                    }
                    match print(&message) {
                        // Nobody reads on: the end of a pipe, not a fault.
                        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(()),
                        Err(error) => return Err(format!("stdout: {error}").into()),
                        Ok(()) => {}
                    }
                }
                Some(Event::Close(close)) => {
                    verdict(&socket, &close)?;
                    let all_sent = !matches!(stage, Stage::Sending) || has_ended(&mut lines).await;
                    if let Some(error) = unreadable {
                        return Err(format!("stdin cannot be read as text: {error}").into());
                    }
                    if all_sent && due == 0 {
                        return Ok(());
                    }
                    return Err("the server closed before all was sent and answered".into());
                }
                Some(Event::Open | Event::Error) => {}
                None => return Ok(()),
            },
            line = lines.next_line(), if reading && has_room => match line {
                Ok(Some(line)) => {
                    socket.send(line)?;
                    due += 1;
                }
                Ok(None) => stage = Stage::Awaiting(Instant::now() + wait),
                Err(error) => {
                    unreadable = Some(error);
                    stage = Stage::Awaiting(Instant::now() + wait);
                }
            },
            () = socket.buffered_below(HIGH_WATER), if reading && !has_room => {}
            () = sleep_until(deadline.unwrap_or_else(Instant::now)), if deadline.is_some() => due = 0,
        }
    }
}

/// Whether no further line is to come, as far as can be told in a moment: one who types, or a slow
/// program, had nothing to say when the server closed.
async fn has_ended(lines: &mut Lines<BufReader<Stdin>>) -> bool {
    !matches!(timeout(MOMENT, lines.next_line()).await, Ok(Ok(Some(_))))
}

async fn wait_for_open(socket: &WebSocket, events: &mut fullduplex::Events) -> Result<(), Failure> {
    while let Some(event) = events.next().await {
        match event {
            Event::Open => return Ok(()),
            Event::Close(close) => return verdict(socket, &close),
            Event::Message(_) | Event::Error => {}
        }
    }
    Ok(())
}

fn print(message: &MessageEvent) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    match message.data.as_text() {
        Some(text) => writeln!(stdout, "{text}")?,
        None => {
            let bytes = message.data.as_bytes();
            let hex = bytes.iter().fold(String::new(), |mut hex, byte| {
                // Writing to a String cannot fail.
                write!(hex, "{byte:02x}").ok();
                hex
            });
            writeln!(stdout, "{hex}")?;
        }
    }
    stdout.flush()
}

/// What the end of the connection means for the exit code.
fn verdict(socket: &WebSocket, close: &CloseEvent) -> Result<(), Failure> {
    if close.was_clean {
        if !matches!(close.code, 1000 | 1005) {
            let reason = close.reason.escape_debug();
            anstream::eprintln!("fdx: the server closed with code {} \"{reason}\"", close.code);
        }
        return Ok(());
    }
    match socket.failure() {
        Some(failure) => Err(match *failure {
            Cause::Connect(_) | Cause::BlockedPort(_) | Cause::NoSubprotocol => {
                not_connected(failure)
            }
            _ => failure.to_string().into(),
        }),
        None => {
            Err(format!("the connection was cut after a Close with code {}", close.code).into())
        }
    }
}
