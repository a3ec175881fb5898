use std::fmt;

use fullduplex::{Error, MaybeSend, ReconnectingWebSocket, WebSocket};

/// A member of a chat room.
#[derive(Debug, Clone)]
pub(crate) struct Chat {
    socket: ReconnectingWebSocket,
    name: String,
}

/// What a user reads.
#[derive(Debug)]
pub(crate) enum Line {
    /// A member says something.
    Said { name: String, text: String },
    /// The connection has changed.
    Note(String),
}

impl Chat {
    /// Joins the room at `url`. `show` receives each line.
    ///
    /// # Errors
    /// [`Error`] if `url` is not the URL of a WebSocket.
    pub(crate) fn join(
        url: &str,
        name: &str,
        show: impl Fn(Line) + Clone + MaybeSend + 'static,
    ) -> Result<Self, Error> {
        let options = WebSocket::builder(url).protocols(())?;
        let socket = ReconnectingWebSocket::builder(options).open_with(|socket| {
            let shown = show.clone();
            socket.set_onopen(move |_| shown(Line::Note("connected".into())));
            let shown = show.clone();
            socket.set_onmessage(move |_, message| {
                if let Some(text) = message.data.as_text() {
                    shown(Line::parse(text));
                }
            });
            let shown = show.clone();
            socket.set_onlost(move |_, lost| {
                let seconds = lost.retry_in.as_secs_f32();
                shown(Line::Note(format!("not connected; next attempt in {seconds:.1} s")));
            });
            socket.set_onclose(move |_, _| show(Line::Note("you left".into())));
        });
        Ok(Self { socket, name: name.to_owned() })
    }

    /// Sends a text to all other members. Returns the line to show, because the room sends nothing back.
    pub(crate) fn say(&self, text: &str) -> Line {
        let line = Line::Said { name: self.name.clone(), text: text.to_owned() };
        match self.socket.send(line.to_string()) {
            Ok(()) => line,
            Err(error) => Line::Note(error.to_string()),
        }
    }

    /// Leaves the room.
    pub(crate) fn leave(&self) {
        self.socket.close();
    }

    /// Waits until the connection is closed. A page must not block, so it has no such method.
    #[cfg(not(target_family = "wasm"))]
    pub(crate) fn wait(&self) {
        self.socket.wait();
    }
}

impl Line {
    fn parse(message: &str) -> Self {
        let (name, text) = message.split_once(": ").unwrap_or(("somebody", message));
        Self::Said { name: name.to_owned(), text: text.to_owned() }
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Said { name, text } => write!(f, "{name}: {text}"),
            Self::Note(note) => write!(f, "* {note}"),
        }
    }
}
