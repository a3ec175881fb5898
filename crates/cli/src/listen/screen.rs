use std::io::{self, IsTerminal as _};
use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};

use anstyle::{AnsiColor, Style};
use fullduplex_net::Socket;
use fullduplex_net::proto::{Closed, Message};
use serde_json::json;
use tokio::sync::Notify;

use crate::exit::Failure;
use crate::output::{harmless, hex, print_line, unwritten};

/// Tells what happens, to people or to machines.
#[derive(Debug)]
pub(super) struct Screen {
    form: Form,
    /// Why nothing can be told any more.
    failure: Mutex<Option<io::Error>>,
    failed: Notify,
}

/// How it is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// Everything, as JSON.
    Json,
    /// Messages as lines of stdout, of people's terminals with the number of the client; who comes and
    /// goes on their stderr.
    Lines,
    /// Nothing: others answer the messages.
    Silent,
}

impl Screen {
    pub(super) fn new(ndjson: bool, prints_messages: bool) -> Self {
        let form = match (ndjson, prints_messages) {
            (true, _) => Form::Json,
            (false, true) => Form::Lines,
            (false, false) => Form::Silent,
        };
        Self { form, failure: Mutex::new(None), failed: Notify::new() }
    }

    /// Tells where clients may come: on stdout, unless that is for messages.
    pub(super) fn listening(&self, url: &str, page: Option<&str>) -> Result<(), Failure> {
        let line = format!("listening at {url}");
        match self.form {
            Form::Json => {
                let line = json!({ "event": "listening", "url": url });
                print_line(line).map_err(|error| unwritten(&error))?;
            }
            Form::Lines => anstream::eprintln!("{line}"),
            Form::Silent => print_line(line).map_err(|error| unwritten(&error))?,
        }
        if let Some(page) = page.filter(|_| io::stderr().is_terminal()) {
            anstream::eprintln!("{DIM}for browsers: {page}{DIM:#}");
        }
        Ok(())
    }

    pub(super) fn opened(
        &self,
        client: u64,
        peer: Option<SocketAddr>,
        target: &str,
        socket: &Socket,
    ) {
        let protocol = socket.subprotocol().map(|name| name.as_str()).unwrap_or_default();
        match self.form {
            Form::Json => self.print(json!({
                "event": "open", "client": client, "peer": peer.map(|peer| peer.to_string()),
                "target": target, "protocol": protocol, "extensions": socket.extensions(),
            })),
            Form::Lines if io::stderr().is_terminal() => {
                let from = peer.map(|peer| format!(" from {peer}")).unwrap_or_default();
                anstream::eprintln!("{DIM}{client} connected{from}{DIM:#}");
            }
            Form::Lines | Form::Silent => {}
        }
    }

    pub(super) fn message(&self, client: u64, message: &Message) {
        match (self.form, message) {
            (Form::Silent, _) => {}
            (Form::Json, Message::Text(text)) => {
                self.print(json!({ "event": "message", "client": client, "text": text.as_str() }));
            }
            (Form::Json, Message::Binary(bytes)) => {
                self.print(json!({ "event": "message", "client": client, "hex": hex(bytes) }));
            }
            (Form::Lines, message) => {
                let line = match message {
                    Message::Text(text) => text.as_str().to_owned(),
                    Message::Binary(bytes) => hex(bytes),
                };
                if io::stdout().is_terminal() {
                    self.print(format_args!("{NUMBER}{client}{NUMBER:#} {}", harmless(&line)));
                } else {
                    self.print_as_it_is(&line);
                }
            }
        }
    }

    pub(super) fn closed(&self, client: u64, closed: Option<&Closed>) {
        let (code, reason) = closed.map_or((1006, ""), |closed| (closed.code(), closed.reason()));
        match self.form {
            Form::Json => self.print(json!({
                "event": "close", "client": client, "code": code, "reason": reason,
                "clean": closed.is_some_and(Closed::was_clean),
            })),
            Form::Lines if io::stderr().is_terminal() => {
                let reason = if reason.is_empty() { String::new() } else { format!(" {reason:?}") };
                anstream::eprintln!("{DIM}{client} closed, code {code}{reason}{DIM:#}");
            }
            Form::Lines | Form::Silent => {}
        }
    }

    /// Waits until something could not be told, and returns why.
    pub(super) async fn until_failed(&self) -> Failure {
        loop {
            let failed = self.failed.notified();
            let failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner).take();
            match failure {
                Some(error) => return unwritten(&error),
                None => failed.await,
            }
        }
    }

    fn print(&self, line: impl std::fmt::Display) {
        self.note(print_line(line));
    }

    /// Escapes of colours, too, are the client's.
    fn print_as_it_is(&self, line: &str) {
        use io::Write as _;
        let mut stdout = io::stdout().lock();
        self.note(writeln!(stdout, "{line}").and_then(|()| stdout.flush()));
    }

    fn note(&self, written: io::Result<()>) {
        if let Err(error) = written {
            *self.failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
            self.failed.notify_waiters();
        }
    }
}

const DIM: Style = Style::new().dimmed();
const NUMBER: Style = AnsiColor::Cyan.on_default();
