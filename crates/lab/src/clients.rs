//! Clients made with other libraries, in `peers/` and `bench/`, for our echo server.

use std::path::Path;
use std::process::Command;

use crate::peers::{newer_node, node, python};

/// The trials of a client, in order, and what each expects. A client prints the names of those it has passed.
pub const TRIALS: [(&str, &str); 16] = [
    ("subprotocol", "the server chooses `echo` of `nope` and `echo`"),
    ("compression", "permessage-deflate is agreed on if it was offered"),
    ("text", "texts of 0 bytes to 1 MiB, with characters of 1 to 4 bytes, come back"),
    ("binary", "binary messages of 0 bytes to 1 MiB come back"),
    ("large message", "8 MB that compress well come back"),
    ("fragments sent", "a message in three frames comes back as one"),
    ("fragments received", "a message in ten frames arrives as one"),
    ("ping sent", "the server answers with the same payload"),
    ("ping received", "the client answers with the same payload"),
    ("burst sent", "1,000 messages come back in order"),
    ("burst received", "1,000 messages arrive in order"),
    ("close sent", "code and reason come back; `aiohttp` shows only the code"),
    ("close sent without a code", "the answer has no code"),
    ("close received", "code and reason arrive"),
    ("silence", "the connection survives 3 s without messages, because the server pings"),
    ("rejection", "404 arrives for an unknown resource"),
];

/// The trials over HTTP/2 that come on top.
pub const HTTP2_TRIALS: [(&str, &str); 2] = [
    (
        "end without a Close",
        "END_STREAM or a reset ends one socket, and another one of the connection goes on",
    ),
    ("one connection", "the sockets use the connection that loaded the page, says the net log"),
];

/// How many seconds a client may run.
const LIMIT: &str = "120";

/// The exit code of `timeout` for a program that it has ended.
const TIMED_OUT: i32 = 124;

/// The version of HTTP that carries a WebSocket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// HTTP/1.1.
    Http1,
    /// HTTP/2.
    Http2,
}

/// A client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Client {
    /// A page in Chromium.
    Chromium,
    /// Python `websockets`.
    Websockets,
    /// Python `aiohttp`.
    Aiohttp,
    /// npm `ws`.
    Ws,
    /// npm `undici`, the `WebSocket` of Node.js. It runs on the Node.js that npm has installed.
    Undici,
    /// `tokio-tungstenite`.
    Tungstenite,
    /// The module `http2` of Node.js, and `ws` over its streams.
    NodeHttp2,
    /// Python `h2`, and `wsproto` over its streams.
    H2,
    /// `yawc`, over HTTP/2.
    Yawc,
}

/// Whether a client offers permessage-deflate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// The client offers compression.
    Offered,
    /// The client does not offer compression.
    NotOffered,
}

/// The result of a client whose trials have all passed.
#[derive(Debug, Clone)]
pub struct Report {
    /// The client's name and version.
    pub client: String,
    /// The number of trials.
    pub trials: usize,
}

impl Client {
    /// The clients over HTTP/2.
    pub const HTTP2: [Self; 5] =
        [Self::Chromium, Self::Undici, Self::NodeHttp2, Self::H2, Self::Yawc];

    /// The clients over HTTP/1.1.
    pub const HTTP1: [Self; 6] = [
        Self::Chromium,
        Self::Websockets,
        Self::Aiohttp,
        Self::Ws,
        Self::Undici,
        Self::Tungstenite,
    ];

    /// Returns the name of the client.
    pub fn name(self) -> &'static str {
        match self {
            Self::Chromium => "chromium",
            Self::Websockets => "websockets",
            Self::Aiohttp => "aiohttp",
            Self::Ws => "ws",
            Self::Undici => "undici",
            Self::Tungstenite => "tokio-tungstenite",
            Self::NodeHttp2 => "Node.js http2",
            Self::H2 => "h2",
            Self::Yawc => "yawc",
        }
    }

    /// Returns the settings of compression that the client supports.
    pub fn compressions(self) -> &'static [Compression] {
        match self {
            Self::Websockets | Self::Aiohttp | Self::Ws | Self::NodeHttp2 | Self::H2 => {
                &[Compression::Offered, Compression::NotOffered]
            }
            Self::Chromium | Self::Undici => &[Compression::Offered],
            Self::Tungstenite | Self::Yawc => &[Compression::NotOffered],
        }
    }

    /// Returns the trials that the client cannot do.
    pub fn cannot(self) -> &'static [&'static str] {
        match self {
            Self::Chromium => &["fragments sent", "ping sent", "rejection", "end without a Close"],
            Self::Websockets => &["close sent without a code"],
            Self::Aiohttp => &["fragments sent", "close sent without a code"],
            Self::Ws | Self::Tungstenite => &[],
            Self::Undici => &["fragments sent", "end without a Close", "one connection"],
            Self::H2 => &["close sent without a code", "one connection"],
            Self::NodeHttp2 => &["one connection"],
            Self::Yawc => &[
                "subprotocol",
                "compression",
                "close sent without a code",
                "rejection",
                "one connection",
            ],
        }
    }

    /// Returns whether the client can use HTTP/2 without TLS.
    pub fn has_prior_knowledge(self) -> bool {
        matches!(self, Self::NodeHttp2 | Self::H2 | Self::Yawc)
    }

    /// Runs the client against our echo server at `url`. For `wss` it trusts the root in the file `ca`.
    ///
    /// # Errors
    /// The failures, and the names of the trials that did not pass.
    ///
    /// # Panics
    /// If the client is not installed.
    pub fn try_all(
        self,
        url: &str,
        ca: &Path,
        compression: Compression,
        version: Version,
    ) -> Result<Report, String> {
        // A client ends by itself after a minute. `timeout` also ends one that does not, and its child processes.
        let program = self.command();
        let mut command = Command::new("timeout");
        command.args(["--kill-after=5", LIMIT]).arg(program.get_program()).args(program.get_args());
        command.arg(url);
        if version == Version::Http2 && matches!(self, Self::Chromium | Self::Undici) {
            command.arg("--http2"); // the others have no other version
        }
        if url.starts_with("wss:") {
            command.arg("--ca").arg(ca);
        }
        if compression == Compression::NotOffered && self.compressions().len() > 1 {
            command.arg("--no-deflate");
        }
        let output = command.output().expect("`cargo xtask interop` installs and builds it");
        let printed = String::from_utf8_lossy(&output.stdout);
        let passed: Vec<&str> =
            printed.lines().filter_map(|line| line.strip_prefix("ok ")).collect();
        let not_passed: Vec<&str> =
            self.trials(version).filter(|trial| !passed.contains(trial)).collect();
        let client = printed.lines().find_map(|line| line.strip_prefix("peer "));
        match client {
            Some(client) if output.status.success() && not_passed.is_empty() => {
                Ok(Report { client: client.to_owned(), trials: passed.len() })
            }
            _ => {
                let failed: Vec<&str> =
                    printed.lines().filter(|line| line.starts_with("failed")).collect();
                let complaint = match output.status.code() {
                    Some(TIMED_OUT) => format!("the client did not end within {LIMIT} s").into(),
                    _ => String::from_utf8_lossy(&output.stderr),
                };
                Err(format!("{}\nnot passed: {not_passed:?}\n{complaint}", failed.join("\n")))
            }
        }
    }

    /// Returns the trials that the client can do.
    fn trials(self, version: Version) -> impl Iterator<Item = &'static str> {
        let all = version.trials().map(|(name, _)| name);
        all.filter(move |name| !self.cannot().contains(name))
    }

    fn command(self) -> Command {
        match self {
            Self::Chromium => node("client_chromium.mjs"),
            Self::Websockets => python("client_websockets.py"),
            Self::Aiohttp => python("client_aiohttp.py"),
            Self::Ws => node("client_ws.mjs"),
            Self::Undici => newer_node("client_undici.mjs"),
            Self::Tungstenite => built("client_tungstenite"),
            Self::NodeHttp2 => node("client_http2.mjs"),
            Self::H2 => python("client_h2.py"),
            Self::Yawc => built("client_yawc"),
        }
    }
}

impl Version {
    /// Returns the trials, and what each expects.
    pub fn trials(self) -> impl Iterator<Item = (&'static str, &'static str)> {
        let further = match self {
            Self::Http1 => &[][..],
            Self::Http2 => &HTTP2_TRIALS,
        };
        TRIALS.iter().chain(further).copied()
    }
}

/// Returns a command that runs a program of `bench/`.
fn built(program: &str) -> Command {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/bench/release");
    Command::new(folder.join(program))
}
