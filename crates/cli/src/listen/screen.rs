use std::io::{self, IsTerminal as _};
use std::net::SocketAddr;

use anstyle::{AnsiColor, Style};
use fullduplex_net::Socket;
use fullduplex_net::proto::{Closed, Message};

use crate::output::{JsonLine, Stdout, harmless, hex};

/// Tells what happens, to people or to machines.
#[derive(Debug)]
pub(super) struct Screen {
    form: Form,
    pub(super) stdout: Stdout,
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
        Self { form, stdout: Stdout::default() }
    }

    /// Tells where clients may come: on stdout, unless that is for messages.
    pub(super) fn listening(&self, url: &str, page: Option<&str>) {
        let line = format!("listening at {url}");
        match self.form {
            Form::Json => self.stdout.print(JsonLine::event("listening").with("url", url)),
            Form::Lines => anstream::eprintln!("{line}"),
            Form::Silent => self.stdout.print(line),
        }
        if let Some(page) = page.filter(|_| io::stderr().is_terminal()) {
            anstream::eprintln!("{DIM}for browsers: {page}{DIM:#}");
        }
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
            Form::Json => self.stdout.print(
                JsonLine::event("open")
                    .with("client", client)
                    .with("peer", peer.map(|peer| peer.to_string()))
                    .with("target", target)
                    .with("protocol", protocol)
                    .with("extensions", socket.extensions()),
            ),
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
            (Form::Json, message) => {
                let event = JsonLine::event("message").with("client", client);
                self.stdout.print(match message {
                    Message::Text(text) => event.with("text", text.as_str()),
                    Message::Binary(bytes) => event.with("hex", hex(bytes)),
                });
            }
            (Form::Lines, message) => {
                let line = match message {
                    Message::Text(text) => text.as_str().to_owned(),
                    Message::Binary(bytes) => hex(bytes),
                };
                if io::stdout().is_terminal() {
                    self.stdout
                        .print(format_args!("{NUMBER}{client}{NUMBER:#} {}", harmless(&line)));
                } else {
                    self.stdout.print_as_it_is(&line);
                }
            }
        }
    }

    pub(super) fn closed(&self, client: u64, closed: Option<&Closed>) {
        let (code, reason) = closed.map_or((1006, ""), |closed| (closed.code(), closed.reason()));
        match self.form {
            Form::Json => self.stdout.print(
                JsonLine::event("close")
                    .with("client", client)
                    .with("code", code)
                    .with("reason", reason)
                    .with("clean", closed.is_some_and(Closed::was_clean)),
            ),
            Form::Lines if io::stderr().is_terminal() => {
                let reason = if reason.is_empty() { String::new() } else { format!(" {reason:?}") };
                anstream::eprintln!("{DIM}{client} closed, code {code}{reason}{DIM:#}");
            }
            Form::Lines | Form::Silent => {}
        }
    }
}

const DIM: Style = Style::new().dimmed();
const NUMBER: Style = AnsiColor::Cyan.on_default();
