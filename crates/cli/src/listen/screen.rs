use std::net::SocketAddr;

use anstyle::{AnsiColor, Style};
use fullduplex_net::Socket;
use fullduplex_net::proto::{Closed, Message};

use crate::output::{Line, Output, Pen, stderr_is_terminal};
use crate::secrets::Secrets;

/// Writes the events of the server, as text or as JSON.
#[derive(Debug)]
pub(super) struct Screen {
    form: Form,
    pub(super) output: Output,
    secrets: Secrets,
}

/// The form of the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// All events, as JSON.
    Json,
    /// Messages as lines on stdout, with the client's number in a terminal. If stderr is a terminal,
    /// also a line for each client that connects or closes.
    Lines,
    /// No output, because the server answers messages and does not print them.
    Silent,
}

impl Screen {
    pub(super) fn new(
        ndjson: bool,
        prints_messages: bool,
        output: Output,
        secrets: Secrets,
    ) -> Self {
        let form = match (ndjson, prints_messages) {
            (true, _) => Form::Json,
            (false, true) => Form::Lines,
            (false, false) => Form::Silent,
        };
        Self { form, output, secrets }
    }

    /// Prints the address for clients. Uses stdout, unless messages are printed there.
    pub(super) async fn listening(&self, url: &str, page: Option<&str>) {
        let line = format!("listening at {url}");
        match self.form {
            Form::Json => {
                let url = url.to_owned();
                let draw = move |pen: &mut Pen| pen.event("listening").with("url", url).end();
                self.output.print(0, draw).await;
            }
            Form::Lines => self.output.note(line),
            Form::Silent => self.output.line(line).await,
        }
        if let Some(page) = page.filter(|_| stderr_is_terminal()) {
            self.output.note(Line::of(DIM, format_args!("for browsers: {page}")));
        }
    }

    pub(super) async fn opened(
        &self,
        client: u64,
        peer: Option<SocketAddr>,
        target: &str,
        socket: &Socket,
    ) {
        let peer = peer.map(|peer| peer.to_string());
        match self.form {
            Form::Json => {
                let protocol = socket.subprotocol().map(|name| name.as_str()).unwrap_or_default();
                let protocol = self.secrets.subprotocols(protocol);
                let (target, extensions) = (self.secrets.target(target), socket.extensions());
                let draw = move |pen: &mut Pen| {
                    pen.event("open")
                        .with("client", client)
                        .with("peer", peer)
                        .with("target", target)
                        .with("protocol", protocol)
                        .with("extensions", extensions)
                        .end();
                };
                self.output.print(0, draw).await;
            }
            Form::Lines if stderr_is_terminal() => {
                let from = peer.map(|peer| format!(" from {peer}")).unwrap_or_default();
                self.output.note(Line::of(DIM, format_args!("{client} connected{from}")));
            }
            Form::Lines | Form::Silent => {}
        }
    }

    /// Writes a message. Waits until there is room, so that a slow reader of stdout delays only the
    /// client that sent the message.
    pub(super) async fn message(&self, client: u64, message: &Message) {
        if self.form == Form::Silent {
            return;
        }
        let (form, message) = (self.form, message.clone());
        let weight = message.payload().len();
        let draw = move |pen: &mut Pen| match (form, &message) {
            (Form::Json, Message::Text(text)) => {
                pen.event("message").with("client", client).text("text", text.as_str()).end();
            }
            (Form::Json, Message::Binary(bytes)) => {
                pen.event("message").with("client", client).hex("hex", bytes).end();
            }
            (_, message) => {
                let mut before = Line::new();
                if pen.is_terminal() {
                    before = before.styled(NUMBER, client).plain(" < ");
                }
                match message {
                    Message::Text(text) => pen.message(&before, Style::new(), text.as_str()),
                    Message::Binary(bytes) => pen.hex_line(&before, bytes),
                }
            }
        };
        self.output.print(weight, draw).await;
    }

    pub(super) async fn closed(&self, client: u64, closed: Option<&Closed>) {
        let code = closed.map_or(1006, Closed::code);
        let reason = closed.map_or("", Closed::reason).to_owned();
        let clean = closed.is_some_and(Closed::was_clean);
        match self.form {
            Form::Json => {
                let draw = move |pen: &mut Pen| {
                    pen.event("close")
                        .with("client", client)
                        .with("code", code)
                        .with("reason", reason)
                        .with("clean", clean)
                        .end();
                };
                self.output.print(0, draw).await;
            }
            Form::Lines if stderr_is_terminal() => {
                let reason =
                    if reason.is_empty() { String::new() } else { format!(" \"{reason}\"") };
                let line = format!("{client} closed with code {code}{reason}");
                self.output.note(Line::of(DIM, line));
            }
            Form::Lines | Form::Silent => {}
        }
    }
}

const DIM: Style = Style::new().dimmed();
const NUMBER: Style = AnsiColor::Cyan.on_default();
