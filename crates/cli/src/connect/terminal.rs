//! Lines that are typed, with what comes above them.

use std::future::pending;
use std::path::PathBuf;
use std::time::Duration;

use anstyle::{AnsiColor, Style};
use fullduplex::{CloseEvent, ReconnectingEvent, ReconnectingWebSocket};
use futures_util::StreamExt;
use rustyline::history::FileHistory;
use rustyline::{Config, Editor, ExternalPrinter};
use tokio::sync::mpsc;
use tokio::time::sleep;

use super::args::Connect;
use super::command::{self, Command, HELP};
use super::show::{Show, in_words};
use super::verdict;
use crate::exit::Failure;
use crate::output::harmless;

pub(super) async fn run(socket: &ReconnectingWebSocket, args: &Connect) -> Result<(), Failure> {
    let saved = Modes::save();
    saved.enter_raw();
    let ended = talk(socket, args).await;
    // The editor may still be reading: it writes what it was given, and would leave the terminal as it has it.
    sleep(MOMENT).await;
    saved.restore();
    let Some(close) = ended? else { return Ok(()) };
    let end = format!("closed with code {} {}", close.code, harmless(&close.reason));
    anstream::println!("{NOTE}{}{NOTE:#}", end.trim_end());
    if close.was_clean { Ok(()) } else { verdict(socket.failure(), &close) }
}

/// Returns how the socket was closed.
async fn talk(
    socket: &ReconnectingWebSocket,
    args: &Connect,
) -> Result<Option<CloseEvent>, Failure> {
    let mut events = socket.events();
    let mut show = Show::new(&args.printing);
    let (mut typed, mut screen) = edit(args)?;
    screen.note("connecting …");
    let mut pinging: Option<std::pin::Pin<Box<dyn Future<Output = Option<Duration>> + '_>>> = None;
    let mut is_typing = true;
    // What was typed is sent before the connection is closed.
    let mut is_open = false;
    let mut close_when_open = None;
    loop {
        let ponged = async {
            match &mut pinging {
                Some(ping) => ping.await,
                None => pending().await,
            }
        };
        tokio::select! {
            event = events.next() => match event {
                Some(ReconnectingEvent::Close(close)) => return Ok(Some(close)),
                Some(event) => {
                    screen.show(&event, socket, &mut show);
                    is_open = is_open || matches!(event, ReconnectingEvent::Open);
                    if is_open && let Some(close) = close_when_open.take() {
                        obey(close, socket, &mut screen).unwrap_or_else(|reason| screen.note(&reason));
                    }
                }
                None => return Ok(None),
            },
            answered = ponged => {
                pinging = None;
                match answered {
                    Some(time) => screen.note(&format!("pong after {:.1} ms", time.as_secs_f64() * 1e3)),
                    None => screen.note("no pong: there is no connection"),
                }
            }
            line = typed.recv(), if is_typing => {
                is_typing = line.is_some();
                let command = match line {
                    Some(line) => command::parse(&line, args.input),
                    None => Ok(Command::Close(None, String::new())),
                };
                match command {
                    Ok(close @ Command::Close(..)) if !is_open && socket.buffered_amount() > 0 => {
                        close_when_open = Some(close);
                    }
                    Ok(Command::Ping) => pinging = Some(Box::pin(socket.round_trip())),
                    Ok(command) => {
                        if let Err(reason) = obey(command, socket, &mut screen) {
                            screen.note(&reason);
                        }
                    }
                    Err(reason) => screen.note(&reason),
                }
            }
        }
    }
}

fn obey(
    command: Command,
    socket: &ReconnectingWebSocket,
    screen: &mut Screen,
) -> Result<(), String> {
    match command {
        Command::Send(message) => socket.send(message).map_err(|error| error.to_string())?,
        Command::SendFile(path) => {
            let bytes = std::fs::read(&path)
                .map_err(|error| format!("the file {path} cannot be read: {error}"))?;
            socket.send(bytes).map_err(|error| error.to_string())?;
        }
        Command::Close(Some(code), reason) => {
            socket.close_with(code, &reason).map_err(|error| error.to_string())?;
        }
        Command::Close(None, _) => socket.close(),
        Command::Reconnect => socket.reconnect(),
        Command::Help => screen.note(HELP),
        Command::Ping | Command::Nothing => {}
    }
    Ok(())
}

/// Starts the editor, on a thread of its own: it waits for keys. The lines end where the user does.
fn edit(args: &Connect) -> Result<(mpsc::UnboundedReceiver<String>, Screen), Failure> {
    let config = Config::builder().auto_add_history(true).max_history_size(1000)?.build();
    let mut editor: Editor<(), FileHistory> = Editor::with_config(config)?;
    let history = if args.no_history { None } else { history() };
    if let Some(file) = &history {
        editor.load_history(file).ok(); // the first time there is none
    }
    let printer = editor.create_external_printer()?;
    let (lines, typed) = mpsc::unbounded_channel();
    std::thread::spawn(move || {
        loop {
            match editor.readline(PROMPT) {
                Ok(line) => {
                    if let Some(file) = &history {
                        editor.append_history(file).ok(); // what cannot be kept is forgotten
                    }
                    if lines.send(line).is_err() {
                        return;
                    }
                }
                Err(_) => return, // Ctrl-D, Ctrl-C, or no terminal any more
            }
        }
    });
    Ok((typed, Screen(Box::new(printer))))
}

/// Where lines that were typed are kept, for this user alone.
fn history() -> Option<PathBuf> {
    let state = std::env::var_os("XDG_STATE_HOME").map(PathBuf::from);
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".local/state"));
    let folder = state.or_else(home)?.join("fdx");
    std::fs::create_dir_all(&folder).ok()?;
    Some(folder.join("history"))
}

/// The terminal above the line that is being typed.
struct Screen(Box<dyn ExternalPrinter + Send>);

impl Screen {
    fn show(&mut self, event: &ReconnectingEvent, socket: &ReconnectingWebSocket, show: &mut Show) {
        match event {
            ReconnectingEvent::Open => {
                show.opened(socket);
                let mut facts = format!("open: {}", socket.url());
                for fact in [socket.protocol(), socket.extensions()] {
                    if !fact.is_empty() {
                        facts += &format!(", {fact}");
                    }
                }
                self.note(&facts);
            }
            ReconnectingEvent::Message(message) => {
                let text = String::from_utf8_lossy(&show.message(message)).into_owned();
                self.print(RECEIVED, &format!("< {}", harmless(text.trim_end_matches('\n'))));
            }
            ReconnectingEvent::Lost(lost) => self.note(&in_words(lost)),
            ReconnectingEvent::Undelivered(undelivered) => {
                self.note(&format!("{} messages were not sent, or perhaps not", undelivered.count));
            }
            _ => {}
        }
    }

    fn note(&mut self, text: &str) {
        self.print(NOTE, &harmless(text));
    }

    fn print(&mut self, style: Style, text: &str) {
        let colours = anstream::AutoStream::choice(&std::io::stdout());
        let line = match colours {
            anstream::ColorChoice::Never => format!("{text}\n"),
            _ => format!("{style}{text}{style:#}\n"),
        };
        self.0.print(line).ok(); // a terminal that is gone ends the editor
    }
}

/// How the terminal was.
struct Modes(#[cfg(unix)] Option<rustix::termios::Termios>);

impl Modes {
    #[cfg(unix)]
    fn save() -> Self {
        Self(rustix::termios::tcgetattr(std::io::stdin()).ok())
    }

    #[cfg(not(unix))]
    fn save() -> Self {
        Self()
    }

    /// Turns line mode off, and keeps it off between two lines that the editor reads. Keys that arrive
    /// between the two would otherwise be handled by the system: it drops Ctrl-D and echoes the rest.
    #[cfg(unix)]
    fn enter_raw(&self) {
        use rustix::termios::{InputModes, LocalModes};
        let Some(mut raw) = self.0.clone() else { return };
        raw.input_modes.remove(InputModes::ICRNL | InputModes::INLCR);
        raw.local_modes.remove(LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG);
        let now = rustix::termios::OptionalActions::Now;
        rustix::termios::tcsetattr(std::io::stdin(), now, &raw).ok();
    }

    #[cfg(not(unix))]
    fn enter_raw(&self) {}

    fn restore(self) {
        #[cfg(unix)]
        if let Some(modes) = &self.0 {
            let now = rustix::termios::OptionalActions::Now;
            rustix::termios::tcsetattr(std::io::stdin(), now, modes).ok();
        }
        // The prompt that nobody will answer, and the editor's wish for marks around what is pasted.
        anstream::print!("\r\x1b[K\x1b[?2004l");
    }
}

/// What the editor needs to write a line.
const MOMENT: Duration = Duration::from_millis(50);

const PROMPT: &str = "> ";
const RECEIVED: Style = AnsiColor::Green.on_default();
const NOTE: Style = Style::new().dimmed();
