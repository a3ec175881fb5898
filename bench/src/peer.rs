use std::io;
use std::process::Command;

use crate::process::Program;
use crate::server::Mode;

/// A server or a client that can be started.
#[derive(Debug, Clone, Copy)]
pub struct Peer {
    /// The name of the crate in the lock file.
    pub name: &'static str,
    /// The program in this package.
    pub program: &'static str,
    /// Its features.
    pub kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Echoes bytes without a runtime. This measures what the operating system alone costs.
    System,
    /// Echoes bytes with a runtime. This measures what the runtime costs without a protocol.
    Raw,
    /// Echoes the bytes of the streams of HTTP/2. This measures what a stream costs without a protocol.
    RawStream,
    WebSocket,
    /// A WebSocket server with permessage-deflate.
    Deflating,
    /// A WebSocket server that only echoes, with a runtime for each core.
    PerCore,
}

/// The servers: fullduplex, then the others, then the lower bounds without a protocol.
pub const SERVERS: [Peer; 10] = [
    Peer { name: "fullduplex-net", program: "serve_fullduplex", kind: Kind::Deflating },
    Peer { name: "fullduplex-net", program: "serve_fullduplex_per_core", kind: Kind::PerCore },
    Peer { name: "fastwebsockets", program: "serve_fastwebsockets", kind: Kind::WebSocket },
    Peer { name: "sockudo-ws", program: "serve_sockudo", kind: Kind::Deflating },
    Peer { name: "tokio-tungstenite", program: "serve_tungstenite", kind: Kind::WebSocket },
    Peer { name: "tokio-websockets", program: "serve_tokio_websockets", kind: Kind::WebSocket },
    Peer { name: "wtx", program: "serve_wtx", kind: Kind::Deflating },
    Peer { name: "yawc", program: "serve_yawc", kind: Kind::Deflating },
    Peer { name: "tokio", program: "serve_raw", kind: Kind::Raw },
    Peer { name: "rustix", program: "serve_epoll", kind: Kind::System },
];

/// The servers over HTTP/2, in the same order.
pub const HTTP2_SERVERS: [Peer; 4] = [
    Peer { name: "fullduplex-net", program: "http2_fullduplex", kind: Kind::WebSocket },
    Peer { name: "axum", program: "http2_axum", kind: Kind::WebSocket },
    Peer { name: "yawc", program: "http2_yawc", kind: Kind::WebSocket },
    Peer { name: "hyper", program: "http2_raw", kind: Kind::RawStream },
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
    /// Returns whether it does not use WebSocket.
    pub fn is_raw(self) -> bool {
        matches!(self, Self::System | Self::Raw | Self::RawStream)
    }

    /// Returns whether the others are compared with it.
    pub fn is_baseline(self) -> bool {
        matches!(self, Self::Raw | Self::RawStream)
    }
}

impl Peer {
    /// Starts the server.
    ///
    /// # Errors
    /// Fails if there is no such program, or if it did not print its address.
    pub fn start(&self, mode: Mode) -> io::Result<Program> {
        Program::start(self.command()?.arg(mode.argument()))
    }

    /// Returns its program, which is in the folder of the calling program.
    ///
    /// # Errors
    /// Fails if that folder is unknown.
    pub fn command(&self) -> io::Result<Command> {
        Ok(Command::new(std::env::current_exe()?.with_file_name(self.program)))
    }

    /// Returns whether the server has this mode.
    pub fn can(&self, mode: Mode) -> bool {
        match mode {
            Mode::Echo => true,
            Mode::Deflate => !matches!(self.kind, Kind::WebSocket | Kind::PerCore),
            Mode::Broadcast => !matches!(self.kind, Kind::System | Kind::PerCore),
        }
    }

    /// Returns its name.
    pub fn title(&self) -> &'static str {
        match self.kind {
            Kind::System => "plain TCP on epoll",
            Kind::Raw => "plain TCP on tokio",
            Kind::RawStream => "plain stream on hyper",
            Kind::PerCore => "fullduplex per core",
            Kind::WebSocket | Kind::Deflating => self.name,
        }
    }

    /// Returns its name, with the version in use.
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

/// Returns the newest version of a crate in the lock file, which lists older ones first.
pub fn version(name: &str) -> &'static str {
    let entry = format!("name = \"{name}\"\nversion = \"");
    let found = include_str!("../Cargo.lock").rsplit_once(&entry);
    found.and_then(|(_, rest)| rest.split('"').next()).unwrap_or("?")
}
