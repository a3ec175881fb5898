use anstyle::{AnsiColor, Style};
use fullduplex::{CloseEvent, Data, Event, Events, MessageEvent, ReadyState, WebSocket};
use fullduplex_net::proto::handshake::Subprotocols;
use fullduplex_net::{Server, ServerOptions};
use futures_util::StreamExt;
use tokio::net::TcpListener;

use crate::exit::Failure;
use crate::listen;

/// Shows the life of a WebSocket, then the life of one that fails.
pub(crate) async fn run() -> Result<(), Failure> {
    let mut options = ServerOptions::default();
    options.accept.subprotocols = Subprotocols::new(["chat"])?;
    let server = Server::bind("127.0.0.1:0", options).await?;
    let url = format!("ws://{}/", server.local_addr()?);
    tokio::spawn(server.serve(listen::echo));

    title("The life of a WebSocket, on a real connection to an echo server in this program");
    a_life(&url).await?;
    let nobody = TcpListener::bind("127.0.0.1:0").await?.local_addr()?;
    title("The life of one that fails: nobody listens there");
    a_failure(&format!("ws://{nobody}/")).await?;
    title("Now you");
    // Whoever runs this with cargo has no `fdx` on the path yet.
    let fdx = if std::env::var_os("CARGO").is_some() { "cargo run --" } else { "fdx" };
    call(&format!("{fdx} listen 127.0.0.1:9001 --echo"), "a server to try things with");
    call(&format!("{fdx} connect ws://127.0.0.1:9001/"), "in a second terminal: talk to it");
    Ok(())
}

async fn a_life(url: &str) -> Result<(), Failure> {
    call(&format!("WebSocket::new({url:?}, [\"superchat\", \"chat\"])"), "");
    let socket = WebSocket::new(url, ["superchat", "chat"])?;
    let mut events = socket.events();
    state(&socket, "the constructor returns before the connection exists");
    if let Err(error) = socket.send("too early") {
        field("send(\"too early\")", error.name(), "sending starts with the open event");
    }
    next(&mut events, &socket).await;
    field("url", socket.url(), "");
    field("protocol", format!("{:?}", socket.protocol()), "the server's choice of the two");

    for message in ["Hello, world!", "Grüße, 世界"] {
        call(&format!("socket.send({message:?})"), "");
        buffered(&socket, || socket.send(message))?;
    }
    call("socket.send(vec![0, 1, 2])", "bytes become a binary message");
    buffered(&socket, || socket.send(vec![0, 1, 2]))?;
    for _ in 0..3 {
        next(&mut events, &socket).await;
    }
    field("buffered_amount", socket.buffered_amount(), "the network took everything");

    call("socket.close_with(1000, \"that was all\")", "");
    socket.close_with(1000, "that was all")?;
    state(&socket, "our Close is on its way, and the server answers it");
    next(&mut events, &socket).await;
    Ok(())
}

async fn a_failure(url: &str) -> Result<(), Failure> {
    call(&format!("WebSocket::new({url:?}, ())"), "");
    let socket = WebSocket::new(url, ())?;
    let mut events = socket.events();
    state(&socket, "");
    next(&mut events, &socket).await;
    next(&mut events, &socket).await;
    if let Some(failure) = socket.failure() {
        field("failure()", failure, "");
    }
    Ok(())
}

/// Waits for the next event and shows it, with the state that it finds.
async fn next(events: &mut Events, socket: &WebSocket) {
    match events.next().await {
        Some(Event::Open) => {
            event("open", "");
            state(socket, "messages can be sent");
        }
        Some(Event::Message(MessageEvent { data, origin })) => {
            let data = match data {
                Data::Text(text) => format!("{text:?}"),
                Data::Blob(bytes) | Data::ArrayBuffer(bytes) => format!("{:?}", bytes.as_ref()),
            };
            event("message", &format!("data {data}  origin {origin}"));
        }
        Some(Event::Error) => {
            event("error", "");
            state(socket, "no event says why: a page must not explore its user's network");
        }
        Some(Event::Close(CloseEvent { was_clean, code, reason })) => {
            event("close", &format!("was_clean {was_clean}  code {code}  reason {reason:?}"));
            state(socket, "");
        }
        None => {}
    }
}

/// Shows `buffered_amount` before and after a send.
fn buffered(
    socket: &WebSocket,
    send: impl FnOnce() -> Result<(), fullduplex::Error>,
) -> Result<(), fullduplex::Error> {
    let before = socket.buffered_amount();
    send()?;
    let amount = format!("{before} → {}", socket.buffered_amount());
    field("buffered_amount", amount, "payload bytes that wait for the network");
    Ok(())
}

fn state(socket: &WebSocket, remark: &str) {
    let state = socket.ready_state();
    let name = match state {
        ReadyState::Connecting => "CONNECTING",
        ReadyState::Open => "OPEN",
        ReadyState::Closing => "CLOSING",
        ReadyState::Closed => "CLOSED",
    };
    field("ready_state", format!("{} {name}", state as u16), remark);
}

const TITLE: Style = Style::new().bold();
const CALL: Style = AnsiColor::Cyan.on_default();
const EVENT: Style = AnsiColor::Green.on_default().bold();
const REMARK: Style = Style::new().dimmed();

fn title(text: &str) {
    anstream::println!("\n{TITLE}{text}{TITLE:#}\n");
}

fn call(code: &str, remark: &str) {
    anstream::println!("  {CALL}{code}{CALL:#}{}", margin(code.chars().count() + 2, remark));
}

fn event(name: &str, fields: &str) {
    let gap = if fields.is_empty() { "" } else { "  " };
    anstream::println!("  {EVENT}event {name}{EVENT:#}{gap}{fields}");
}

fn field(name: &str, value: impl std::fmt::Display, remark: &str) {
    let value = value.to_string();
    let width = 24 + value.chars().count();
    anstream::println!("      {name:<18}{value}{}", margin(width, remark));
}

/// A remark, in a column of its own where the line leaves room.
fn margin(width: usize, remark: &str) -> String {
    if remark.is_empty() {
        return String::new();
    }
    let space = 48usize.saturating_sub(width).max(2);
    format!("{:space$}{REMARK}{remark}{REMARK:#}", "")
}
