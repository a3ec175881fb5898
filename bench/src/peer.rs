use std::io;
use std::process::Command;

use crate::process::Program;
use crate::server::Mode;

/// A server or a client that can be started.
#[derive(Debug, Clone, Copy)]
pub struct Peer {
    /// The crate, by its name in the lock file.
    pub name: &'static str,
    /// The program of this package.
    pub program: &'static str,
    /// What it can do.
    pub kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Sends back whatever comes, without a runtime: what the system costs.
    System,
    /// Sends back whatever comes: what the runtime costs without any protocol.
    Raw,
    WebSocket,
    /// A WebSocket server that knows permessage-deflate.
    Deflating,
}

/// The servers: ours first, then the others, and last what none of them goes below.
pub const SERVERS: [Peer; 9] = [
    Peer { name: "fullduplex-net", program: "serve_fullduplex", kind: Kind::Deflating },
    Peer { name: "fastwebsockets", program: "serve_fastwebsockets", kind: Kind::WebSocket },
    Peer { name: "sockudo-ws", program: "serve_sockudo", kind: Kind::Deflating },
    Peer { name: "tokio-tungstenite", program: "serve_tungstenite", kind: Kind::WebSocket },
    Peer { name: "tokio-websockets", program: "serve_tokio_websockets", kind: Kind::WebSocket },
    Peer { name: "wtx", program: "serve_wtx", kind: Kind::Deflating },
    Peer { name: "yawc", program: "serve_yawc", kind: Kind::Deflating },
    Peer { name: "tokio", program: "serve_raw", kind: Kind::Raw },
    Peer { name: "rustix", program: "serve_epoll", kind: Kind::System },
];

/// The clients, in the same order.
pub const CLIENTS: [Peer; 7] = [
    Peer { name: "fullduplex-net", program: "talk_fullduplex", kind: Kind::WebSocket },
    Peer { name: "fastwebsockets", program: "talk_fastwebsockets", kind: Kind::WebSocket },
    Peer { name: "sockudo-ws", program: "talk_sockudo", kind: Kind::WebSocket },
    Peer { name: "tokio-tungstenite", program: "talk_tungstenite", kind: Kind::WebSocket },
    Peer { name: "tokio-websockets", program: "talk_tokio_websockets", kind: Kind::WebSocket },
    Peer { name: "yawc", program: "talk_yawc", kind: Kind::WebSocket },
    Peer { name: "tokio", program: "talk_raw", kind: Kind::Raw },
];

impl Kind {
    /// Whether it knows nothing of WebSocket.
    pub fn is_raw(self) -> bool {
        matches!(self, Self::System | Self::Raw)
    }
}

impl Peer {
    /// Starts the server.
    ///
    /// # Errors
    /// The program is not there, or did not say where it listens.
    pub fn start(&self, mode: Mode) -> io::Result<Program> {
        Program::start(self.command()?.arg(mode.argument()))
    }

    /// Its program, which lies beside that of the caller.
    ///
    /// # Errors
    /// Nobody knows where that is.
    pub fn command(&self) -> io::Result<Command> {
        Ok(Command::new(std::env::current_exe()?.with_file_name(self.program)))
    }

    /// Whether the server can do this.
    pub fn can(&self, mode: Mode) -> bool {
        match mode {
            Mode::Echo => true,
            Mode::Deflate => self.kind != Kind::WebSocket,
            Mode::Broadcast => self.kind != Kind::System,
        }
    }

    /// What it is.
    pub fn title(&self) -> &'static str {
        match self.kind {
            Kind::System => "plain TCP on epoll",
            Kind::Raw => "plain TCP on tokio",
            Kind::WebSocket | Kind::Deflating => self.name,
        }
    }

    /// What it is, with the version in use.
    pub fn label(&self) -> String {
        match self.kind {
            Kind::System => self.title().to_owned(),
            _ => format!("{} {}", self.title(), self.version()),
        }
    }

    fn version(&self) -> &'static str {
        version(self.name)
    }
}

/// The version of a crate that the lock file has.
pub fn version(name: &str) -> &'static str {
    let entry = format!("name = \"{name}\"\nversion = \"");
    let found = include_str!("../Cargo.lock").split_once(&entry);
    found.and_then(|(_, rest)| rest.split('"').next()).unwrap_or("?")
}
