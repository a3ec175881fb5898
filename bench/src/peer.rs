use std::io;
use std::process::Command;

use crate::process::Program;
use crate::server::DEFLATE;

/// A server that can be started.
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
    /// Sends back whatever comes: what the runtime costs without any protocol.
    Raw,
    WebSocket,
    /// A WebSocket server that knows permessage-deflate.
    Deflating,
}

/// Ours first, then the others, and last what none of them goes below.
pub const PEERS: [Peer; 7] = [
    Peer { name: "fullduplex-net", program: "serve_fullduplex", kind: Kind::Deflating },
    Peer { name: "fastwebsockets", program: "serve_fastwebsockets", kind: Kind::WebSocket },
    Peer { name: "sockudo-ws", program: "serve_sockudo", kind: Kind::Deflating },
    Peer { name: "tokio-tungstenite", program: "serve_tungstenite", kind: Kind::WebSocket },
    Peer { name: "tokio-websockets", program: "serve_tokio_websockets", kind: Kind::WebSocket },
    Peer { name: "tokio", program: "serve_raw", kind: Kind::Raw },
    Peer { name: "rustix", program: "serve_epoll", kind: Kind::Raw },
];

impl Peer {
    /// Starts the server. Its program lies beside that of the caller.
    ///
    /// # Errors
    /// The program is not there, or did not say where it listens.
    pub fn start(&self, deflate: bool) -> io::Result<Program> {
        let mut command = Command::new(std::env::current_exe()?.with_file_name(self.program));
        if deflate {
            command.arg(DEFLATE);
        }
        Program::start(&mut command)
    }

    /// What it is, for a table.
    pub fn label(&self) -> String {
        let raw = if self.kind == Kind::Raw { ", plain TCP" } else { "" };
        format!("{} {}{raw}", self.name, self.version())
    }

    /// The version in use.
    pub fn version(&self) -> &'static str {
        version(self.name)
    }
}

/// The version of a crate that the lock file has.
pub fn version(name: &str) -> &'static str {
    let entry = format!("name = \"{name}\"\nversion = \"");
    let found = include_str!("../Cargo.lock").split_once(&entry);
    found.and_then(|(_, rest)| rest.split('"').next()).unwrap_or("?")
}
