//! Sends the lines that the user types, and shows messages and notes above the current line.

use std::future::pending;
use std::io;
use std::path::PathBuf;
use std::pin::Pin;
use std::time::Duration;

use anstyle::Style;
use fullduplex::{CloseEvent, ReconnectingEvent, ReconnectingEvents, ReconnectingWebSocket};
use futures_util::StreamExt;
use rustyline::error::ReadlineError;
use rustyline::history::FileHistory;
use rustyline::{Config, Editor};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};

use super::args::{Connect, Input};
use super::command::{self, Command, HELP};
use super::end::{go_away, interrupted, verdict};
use super::show::{Show, describe_loss};
use crate::context::Context;
use crate::exit::Failure;
use crate::output::{Line, Output};
use crate::secrets::Secrets;

pub(super) async fn run(
    socket: &ReconnectingWebSocket,
    args: &Connect,
    context: &Context,
) -> Result<(), Failure> {
    let saved = Modes::save();
    let mut talk = Talk {
        socket,
        events: socket.events(),
        screen: Screen {
            output: &context.output,
            show: Show::new(&args.printing, context.secrets),
            secrets: context.secrets,
        },
        input: args.input,
        was_open: false,
        close_when_open: None,
        left: args.count,
    };
    let (typed, is_edited) = if is_dumb() {
        (read_lines(), false)
    } else {
        saved.enter_raw();
        (edit_lines(args, &context.output)?, true)
    };
    talk.screen.note("connecting …").await;
    let end = tokio::select! {
        end = talk.hold(typed) => end,
        () = context.interrupt.first() => End::Interrupted,
    };
    let close = match &end {
        End::Closed(close) => close.clone(),
        End::Interrupted => go_away(socket, &mut talk.events).await,
    };
    if is_edited {
        // The editor thread may still be running. Give it time to finish, because it writes to the
        // terminal and sets the mode of the terminal.
        sleep(MOMENT).await;
        saved.restore();
        context.output.leave_prompt();
    }
    if let Some(close) = close.as_ref().filter(|_| talk.was_open) {
        let text = format!("closed with code {} {}", close.code, close.reason);
        talk.screen.note(text.trim_end()).await;
    }
    match (end, close) {
        (End::Interrupted, close) => interrupted(close.as_ref(), talk.was_open),
        (End::Closed(_), Some(close)) if !close.was_clean => {
            verdict(socket.failure(), &close, context)
        }
        (End::Closed(_), _) => Ok(()),
    }
}

/// How a session ends.
enum End {
    /// The connection has ended, or was never opened.
    Closed(Option<CloseEvent>),
    /// The user interrupted the command.
    Interrupted,
}

/// Input from the user.
enum UserInput {
    Line(String),
    /// Ctrl-D.
    End,
    /// Ctrl-C.
    Interrupt,
}

struct Talk<'a> {
    socket: &'a ReconnectingWebSocket,
    events: ReconnectingEvents,
    screen: Screen<'a>,
    input: Input,
    was_open: bool,
    /// A close command that was typed before the connection opened.
    close_when_open: Option<Command>,
    /// How many more messages may arrive, if there is a limit.
    left: Option<u64>,
}

impl Talk<'_> {
    async fn hold(&mut self, mut typed: mpsc::UnboundedReceiver<UserInput>) -> End {
        let mut pinging: Option<Pin<Box<dyn Future<Output = Option<Duration>>>>> = None;
        let mut is_typing = true;
        loop {
            let ponged = async {
                match &mut pinging {
                    Some(ping) => ping.await,
                    None => pending().await,
                }
            };
            tokio::select! {
                event = self.events.next() => match event {
                    Some(ReconnectingEvent::Close(close)) => return End::Closed(Some(close)),
                    Some(event) => self.handle(event).await,
                    None => return End::Closed(None),
                },
                answered = ponged => {
                    pinging = None;
                    self.screen.ponged(answered).await;
                }
                typed = typed.recv(), if is_typing => {
                    let command = match typed {
                        Some(UserInput::Line(line)) => command::parse(&line, self.input),
                        Some(UserInput::Interrupt) => return End::Interrupted,
                        Some(UserInput::End) | None => {
                            is_typing = false;
                            Ok(Command::Close(None, String::new()))
                        }
                    };
                    let obeyed = match command {
                        Ok(Command::Ping) => {
                            let socket = self.socket.clone();
                            pinging = Some(Box::pin(async move { socket.round_trip().await }));
                            Ok(())
                        }
                        Ok(command) => self.obey(command).await,
                        Err(reason) => Err(reason),
                    };
                    if let Err(reason) = obeyed {
                        self.screen.note(reason).await;
                    }
                }
            }
        }
    }

    async fn handle(&mut self, event: ReconnectingEvent) {
        if matches!(event, ReconnectingEvent::Open) {
            self.was_open = true;
        }
        let is_message = matches!(event, ReconnectingEvent::Message(_));
        if !is_message || self.left != Some(0) {
            self.screen.show(event, self.socket).await;
        }
        if is_message && let Some(left) = &mut self.left {
            *left = left.saturating_sub(1);
        }
        if self.was_open && self.left == Some(0) {
            self.socket.close();
        }
        if self.was_open
            && let Some(close) = self.close_when_open.take()
            && let Err(reason) = self.obey(close).await
        {
            self.screen.note(reason).await;
        }
    }

    async fn obey(&mut self, command: Command) -> Result<(), String> {
        let socket = self.socket;
        match command {
            Command::Send(message) => socket.send(message).map_err(|error| error.to_string())?,
            Command::SendFile(path) => {
                let file = path.clone();
                // Another thread reads the file, because the file may be a pipe without a writer.
                let read = tokio::task::spawn_blocking(move || std::fs::read(file)).await;
                let bytes = read.unwrap_or_else(|error| Err(error.into()));
                let bytes =
                    bytes.map_err(|error| format!("could not read the file {path}: {error}"))?;
                socket.send(bytes).map_err(|error| error.to_string())?;
            }
            close @ Command::Close(..) if !self.was_open && socket.buffered_amount() > 0 => {
                self.close_when_open = Some(close);
            }
            Command::Close(Some(code), reason) => {
                socket.close_with(code, &reason).map_err(|error| error.to_string())?;
            }
            Command::Close(None, _) => socket.close(),
            Command::Reconnect => socket.reconnect(),
            Command::Help => {
                for line in HELP.lines() {
                    self.screen.note(line).await;
                }
            }
            Command::Ping | Command::Nothing => {}
        }
        Ok(())
    }
}

/// The part of the terminal above the line being typed.
struct Screen<'a> {
    output: &'a Output,
    show: Show,
    secrets: Secrets,
}

impl Screen<'_> {
    async fn show(&mut self, event: ReconnectingEvent, socket: &ReconnectingWebSocket) {
        match event {
            ReconnectingEvent::Open => {
                self.show.restart();
                let mut facts = format!("open: {}", self.secrets.url(&socket.url()));
                let protocol = self.secrets.subprotocols(&socket.protocol());
                for fact in [protocol, socket.extensions()] {
                    if !fact.is_empty() {
                        facts += &format!(", {fact}");
                    }
                }
                self.note(facts).await;
            }
            ReconnectingEvent::Message(message) => {
                let (show, now) = (self.show, Instant::now());
                let weight = message.data.as_bytes().len();
                self.output.print(weight, move |pen| show.message(pen, &message, now)).await;
            }
            ReconnectingEvent::Lost(lost) => self.note(describe_loss(&lost, self.secrets)).await,
            ReconnectingEvent::Undelivered(undelivered) => {
                self.note(format!("{} messages may not have been sent", undelivered.count)).await;
            }
            _ => {}
        }
    }

    async fn ponged(&self, round_trip: Option<Duration>) {
        match round_trip {
            Some(time) => {
                self.note(format!("pong after {:.1} ms", time.as_secs_f64() * 1e3)).await;
            }
            None => self.note("no pong: the connection is not open").await,
        }
    }

    async fn note(&self, text: impl std::fmt::Display) {
        self.output.line(Line::of(NOTE, text)).await;
    }
}

/// Returns whether the terminal cannot move its cursor, so that lines cannot be edited.
fn is_dumb() -> bool {
    let name = std::env::var("TERM").unwrap_or_default();
    ["dumb", "cons25", "emacs"].iter().any(|dumb| name.eq_ignore_ascii_case(dumb))
}

/// Reads lines without editing, on a separate thread.
fn read_lines() -> mpsc::UnboundedReceiver<UserInput> {
    let (lines, typed) = mpsc::unbounded_channel();
    std::thread::spawn(move || {
        for line in io::stdin().lines().map_while(Result::ok) {
            if lines.send(UserInput::Line(line)).is_err() {
                return;
            }
        }
        lines.send(UserInput::End).ok(); // the command may have ended
    });
    typed
}

/// Starts the line editor on a separate thread, because it blocks while it waits for keys.
fn edit_lines(
    args: &Connect,
    output: &Output,
) -> Result<mpsc::UnboundedReceiver<UserInput>, Failure> {
    let config = Config::builder().auto_add_history(true).max_history_size(1000)?.build();
    let mut editor: Editor<(), FileHistory> = Editor::with_config(config)?;
    let history = if args.no_history { None } else { history() };
    if let Some(file) = &history {
        editor.load_history(file).ok(); // missing the first time
    }
    output.show_above(editor.create_external_printer()?);
    let (lines, typed) = mpsc::unbounded_channel();
    std::thread::spawn(move || {
        loop {
            let next = match editor.readline(PROMPT) {
                Ok(line) => UserInput::Line(line),
                Err(ReadlineError::Interrupted) => UserInput::Interrupt,
                Err(_) => UserInput::End, // Ctrl-D, or the terminal was closed
            };
            let is_line = matches!(next, UserInput::Line(_));
            if lines.send(next).is_err() || !is_line {
                return;
            }
            if let Some(file) = &history {
                editor.append_history(file).ok(); // the history is optional
            }
        }
    });
    Ok(typed)
}

/// Returns the file of this user's history.
fn history() -> Option<PathBuf> {
    let state = std::env::var_os("XDG_STATE_HOME").map(PathBuf::from);
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".local/state"));
    let windows = || std::env::var_os("LOCALAPPDATA").map(PathBuf::from);
    let folder = state.or_else(home).or_else(windows)?.join("fdx");
    std::fs::create_dir_all(&folder).ok()?;
    Some(folder.join("history"))
}

/// The saved modes of the terminal.
struct Modes(#[cfg(unix)] Option<rustix::termios::Termios>);

impl Modes {
    #[cfg(unix)]
    fn save() -> Self {
        Self(rustix::termios::tcgetattr(io::stdin()).ok())
    }

    #[cfg(not(unix))]
    fn save() -> Self {
        Self()
    }

    /// Turns off line mode, also between two lines that the editor reads. Otherwise the system would
    /// handle the keys that are pressed between two lines: it would drop Ctrl-D and echo other keys.
    #[cfg(unix)]
    fn enter_raw(&self) {
        use rustix::termios::{InputModes, LocalModes};
        let Some(mut raw) = self.0.clone() else { return };
        raw.input_modes.remove(InputModes::ICRNL | InputModes::INLCR);
        raw.local_modes.remove(LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG);
        set(&raw);
    }

    #[cfg(not(unix))]
    fn enter_raw(&self) {}

    fn restore(self) {
        #[cfg(unix)]
        if let Some(modes) = &self.0 {
            set(modes);
        }
    }
}

#[cfg(unix)]
fn set(modes: &rustix::termios::Termios) {
    let now = rustix::termios::OptionalActions::Now;
    // Fails if the terminal was closed.
    rustix::termios::tcsetattr(io::stdin(), now, modes).ok();
}

/// The time that the editor needs to write a line.
const MOMENT: Duration = Duration::from_millis(50);

const PROMPT: &str = "> ";
const NOTE: Style = Style::new().dimmed();
