//! The kinds of rooms whose costs are compared.

use std::path::Path;
use std::process::Command;

use fullduplex_lab::broker::BrokerKind;
use fullduplex_lab::process::Program;
use fullduplex_net::Socket;
use fullduplex_net::proto::Message;

use crate::Failure;
use crate::nodes::{open, start};

/// A kind of room: a library, and the broker between its nodes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Kind {
    pub(crate) name: &'static str,
    library: Library,
    /// `None` for a room on one machine.
    pub(crate) broker: Option<BrokerKind>,
}

#[derive(Debug, Clone, Copy)]
enum Library {
    /// A kind of `room.rs`.
    Fullduplex(&'static str),
    /// `room_socketioxide.rs` of `bench/`. Its messages are events of socket.io.
    Socketioxide,
}

const NATS: Option<BrokerKind> = Some(BrokerKind::Nats);
const REDIS: Option<BrokerKind> = Some(BrokerKind::Redis);

pub(crate) const KINDS: [Kind; 11] = [
    Kind::ours("group", "`Group` of net", None),
    Kind::ours("local", "hub, local", None),
    Kind::ours("local-log", "hub, local, history", None),
    Kind { name: "socketioxide, local", library: Library::Socketioxide, broker: None },
    Kind::ours("bare-nats", "async-nats and a `Group`", NATS),
    Kind::ours("hub-nats", "hub, NATS", NATS),
    Kind::ours("hub-nats-log", "hub, NATS, history", NATS),
    Kind::ours("bare-redis", "redis and a `Group`", REDIS),
    Kind::ours("hub-redis", "hub, Redis", REDIS),
    Kind::ours("hub-redis-log", "hub, Redis, history", REDIS),
    Kind { name: "socketioxide, Redis", library: Library::Socketioxide, broker: REDIS },
];

impl Kind {
    const fn ours(word: &'static str, name: &'static str, broker: Option<BrokerKind>) -> Self {
        Self { name, library: Library::Fullduplex(word), broker }
    }

    /// Starts a node. `socketioxide` is the program for that library.
    pub(crate) async fn start(self, socketioxide: &Path, broker: &str) -> Result<Program, Failure> {
        let command = match self.library {
            Library::Fullduplex(word) => {
                let mut command = Command::new(std::env::current_exe()?);
                command.args(["room", word, broker]);
                command
            }
            Library::Socketioxide => {
                let mut command = Command::new(socketioxide);
                command.args(self.broker.map(|_| broker));
                command
            }
        };
        start(command).await
    }

    /// Connects a member of the room.
    pub(crate) async fn join(self, port: u16) -> Result<Socket, Failure> {
        let mut socket = match self.library {
            Library::Fullduplex(_) => open(&format!("ws://127.0.0.1:{port}")).await?,
            Library::Socketioxide => {
                let mut socket = open_socket_io(port).await?;
                socket.send("42[\"join\"]").await?;
                socket
            }
        };
        next(&mut socket).await?; // welcome
        Ok(socket)
    }

    /// Connects a client that publishes.
    pub(crate) async fn publisher(self, port: u16) -> Result<Publisher, Failure> {
        let socket = match self.library {
            Library::Fullduplex(_) => open(&format!("ws://127.0.0.1:{port}/publish")).await?,
            Library::Socketioxide => open_socket_io(port).await?,
        };
        Ok(Publisher { library: self.library, socket })
    }
}

/// A client that publishes to a room.
pub(crate) struct Publisher {
    library: Library,
    socket: Socket,
}

impl Publisher {
    /// Publishes this many messages.
    pub(crate) async fn publish(&mut self, count: usize) -> Result<(), Failure> {
        let command = match self.library {
            Library::Fullduplex(_) => count.to_string(),
            Library::Socketioxide => format!("42[\"publish\",{count}]"),
        };
        self.socket.send(command).await?;
        next(&mut self.socket).await.map(drop) // done
    }
}

/// Connects a client of socket.io, without its HTTP requests.
async fn open_socket_io(port: u16) -> Result<Socket, Failure> {
    let url = format!("ws://127.0.0.1:{port}/socket.io/?EIO=4&transport=websocket");
    let mut socket = open(&url).await?;
    next(&mut socket).await?; // 0: the connection of engine.io is open
    socket.send("40").await?;
    next(&mut socket).await?; // 40: the connection to the namespace is open
    next(&mut socket).await?; // the event `ready`
    Ok(socket)
}

/// Returns the next message. Answers the pings of engine.io.
pub(crate) async fn next(socket: &mut Socket) -> Result<Message, Failure> {
    loop {
        let message = socket.recv().await?.ok_or("the server closed")?;
        if message.as_text() != Some("2") {
            return Ok(message);
        }
        socket.send("3").await?;
    }
}

/// Returns when a message was published, in nanoseconds since 1970.
pub(crate) fn published_at(message: &Message) -> Option<u64> {
    let text = message.as_text()?;
    let text = text.strip_prefix("42[\"m\",\"").unwrap_or(text);
    u64::from_str_radix(text.get(..16)?, 16).ok()
}
