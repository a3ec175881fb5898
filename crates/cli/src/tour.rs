use anstyle::{AnsiColor, Style};
use fullduplex::{CloseEvent, Data, Event, Events, MessageEvent, ReadyState, WebSocket};
use fullduplex_net::proto::handshake::Subprotocols;
use fullduplex_net::{Server, ServerOptions};
use futures_util::StreamExt;
use tokio::net::TcpListener;

use crate::context::Context;
use crate::exit::Failure;
use crate::listen;
use crate::output::{Line, Output};

/// Demonstrates the life of a WebSocket, and a WebSocket that fails.
pub(crate) async fn run(context: &Context) -> Result<(), Failure> {
    let tour = Tour(&context.output);
    tokio::select! {
        outcome = tour.run() => outcome,
        () = context.interrupt.first() => Ok(()),
    }
}

struct Tour<'a>(&'a Output);

impl Tour<'_> {
    async fn run(&self) -> Result<(), Failure> {
        let mut options = ServerOptions::default();
        options.accept.subprotocols = Subprotocols::new(["chat"])?;
        let server = Server::bind("127.0.0.1:0", options).await?;
        let url = format!("ws://{}/", server.local_addr()?);
        tokio::spawn(server.serve(listen::echo));

        self.title(
            "The life of a WebSocket, on a real connection to an echo server in this program",
        )
        .await;
        self.show_connection(&url).await?;
        let nobody = TcpListener::bind("127.0.0.1:0").await?.local_addr()?;
        self.title("The life of a WebSocket that fails: no server listens there").await;
        self.show_failed_connection(&format!("ws://{nobody}/")).await?;
        self.title("Now you").await;
        // Under `cargo run`, fdx is not on the path.
        let fdx = if std::env::var_os("CARGO").is_some() { "cargo run --" } else { "fdx" };
        let server = format!("{fdx} listen 127.0.0.1:9001 --echo");
        self.call(&server, "a server to try things with").await;
        let client = format!("{fdx} connect ws://127.0.0.1:9001/");
        self.call(&client, "in a second terminal: talk to it").await;
        Ok(())
    }

    async fn show_connection(&self, url: &str) -> Result<(), Failure> {
        self.call(&format!("WebSocket::new({url:?}, [\"superchat\", \"chat\"])"), "").await;
        let socket = WebSocket::new(url, ["superchat", "chat"])?;
        let mut events = socket.events();
        self.state(&socket, "the constructor returns before the connection exists").await;
        if let Err(error) = socket.send("too early") {
            let remark = "messages can be sent after the open event";
            self.field("send(\"too early\")", error.name(), remark).await;
        }
        self.next(&mut events, &socket).await;
        self.field("url", socket.url(), "").await;
        let protocol = format!("{:?}", socket.protocol());
        self.field("protocol", protocol, "the server selected one of the two").await;

        for message in ["Hello, world!", "Grüße, 世界"] {
            self.call(&format!("socket.send({message:?})"), "").await;
            self.buffered(&socket, || socket.send(message)).await?;
        }
        self.call("socket.send(vec![0, 1, 2])", "bytes become a binary message").await;
        self.buffered(&socket, || socket.send(vec![0, 1, 2])).await?;
        for _ in 0..3 {
            self.next(&mut events, &socket).await;
        }
        let amount = socket.buffered_amount();
        self.field("buffered_amount", amount, "everything was written to the network").await;

        self.call("socket.close_with(1000, \"that was all\")", "").await;
        socket.close_with(1000, "that was all")?;
        self.state(&socket, "our Close was sent; the server will answer it").await;
        self.next(&mut events, &socket).await;
        Ok(())
    }

    async fn show_failed_connection(&self, url: &str) -> Result<(), Failure> {
        self.call(&format!("WebSocket::new({url:?}, ())"), "").await;
        let socket = WebSocket::new(url, ())?;
        let mut events = socket.events();
        self.state(&socket, "").await;
        self.next(&mut events, &socket).await;
        self.next(&mut events, &socket).await;
        if let Some(failure) = socket.failure() {
            self.field("failure()", failure, "").await;
        }
        Ok(())
    }

    /// Waits for the next event and shows it, with the state of the socket.
    async fn next(&self, events: &mut Events, socket: &WebSocket) {
        match events.next().await {
            Some(Event::Open) => {
                self.event("open", "").await;
                self.state(socket, "messages can be sent").await;
            }
            Some(Event::Message(MessageEvent { data, origin })) => {
                let data = match data {
                    Data::Text(text) => format!("{text:?}"),
                    Data::Blob(bytes) | Data::ArrayBuffer(bytes) => format!("{:?}", bytes.as_ref()),
                };
                self.event("message", &format!("data {data}  origin {origin}")).await;
            }
            Some(Event::Error) => {
                self.event("error", "").await;
                let remark = "no event says why: a page must not explore its user's network";
                self.state(socket, remark).await;
            }
            Some(Event::Close(CloseEvent { was_clean, code, reason })) => {
                let fields = format!("was_clean {was_clean}  code {code}  reason {reason:?}");
                self.event("close", &fields).await;
                self.state(socket, "").await;
            }
            None => {}
        }
    }

    /// Shows `buffered_amount` before and after a send.
    async fn buffered(
        &self,
        socket: &WebSocket,
        send: impl FnOnce() -> Result<(), fullduplex::Error>,
    ) -> Result<(), fullduplex::Error> {
        let before = socket.buffered_amount();
        send()?;
        let amount = format!("{before} → {}", socket.buffered_amount());
        self.field("buffered_amount", amount, "payload bytes that wait to be written").await;
        Ok(())
    }

    async fn state(&self, socket: &WebSocket, remark: &str) {
        let state = socket.ready_state();
        let name = match state {
            ReadyState::Connecting => "CONNECTING",
            ReadyState::Open => "OPEN",
            ReadyState::Closing => "CLOSING",
            ReadyState::Closed => "CLOSED",
        };
        self.field("ready_state", format!("{} {name}", state as u16), remark).await;
    }

    async fn title(&self, text: &str) {
        for line in [Line::new(), Line::of(TITLE, text), Line::new()] {
            self.0.line(line).await;
        }
    }

    async fn call(&self, code: &str, remark: &str) {
        let line = Line::from("  ").styled(CALL, code);
        self.0.line(with_remark(line, remark)).await;
    }

    async fn event(&self, name: &str, fields: &str) {
        let mut line = Line::from("  ").styled(EVENT, format_args!("event {name}"));
        if !fields.is_empty() {
            line = line.plain(format_args!("  {fields}"));
        }
        self.0.line(line).await;
    }

    async fn field(&self, name: &str, value: impl std::fmt::Display, remark: &str) {
        let line = Line::from(format_args!("      {name:<18}{value}"));
        self.0.line(with_remark(line, remark)).await;
    }
}

/// Adds a remark, aligned in a column if there is room.
fn with_remark(line: Line, remark: &str) -> Line {
    if remark.is_empty() {
        return line;
    }
    let space = 48usize.saturating_sub(line.width()).max(2);
    line.plain(format_args!("{:space$}", "")).styled(REMARK, remark)
}

const TITLE: Style = Style::new().bold();
const CALL: Style = AnsiColor::Cyan.on_default();
const EVENT: Style = AnsiColor::Green.on_default().bold();
const REMARK: Style = Style::new().dimmed();
