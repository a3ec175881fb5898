use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, Subcommand};

/// WebSockets in a terminal.
///
/// Without a command it shows the life of a WebSocket, on a real connection within this machine.
#[derive(Debug, Parser)]
#[command(name = "fdx", version, after_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Connect(Connect),
    Listen(Listen),
}

/// Connect to a server: each line of stdin is sent as a message, each message is printed as a line.
///
/// At the end of stdin it waits for one answer to each message, or until nothing has come for a
/// while, then closes. Text is printed as it is, binary messages as hex. Exits with 0 when the
/// connection was closed in order after all was sent, with 1 when it was not, with 2 when the
/// arguments are wrong.
#[derive(Debug, Parser)]
#[command(after_help = CONNECT_EXAMPLES)]
pub(crate) struct Connect {
    /// The server: ws://… or wss://…
    pub(crate) url: String,
    /// Send every message back to where it came from, until the server closes; stdin is not read.
    #[arg(long)]
    pub(crate) echo: bool,
    /// Offer a subprotocol; repeat it for several, the preferred one first.
    #[arg(long = "protocol", value_name = "NAME")]
    pub(crate) protocols: Vec<String>,
    /// Trust the certificates of a PEM file too, besides those that this machine trusts.
    #[arg(long, value_name = "FILE")]
    pub(crate) ca: Option<PathBuf>,
    /// How long to wait for a further message when answers are still missing at the end of stdin.
    #[arg(long, value_name = "SECONDS", default_value = "2", value_parser = seconds, conflicts_with = "echo")]
    pub(crate) wait: Duration,
}

/// Serve WebSockets.
#[derive(Debug, Parser)]
#[command(after_help = LISTEN_EXAMPLES)]
pub(crate) struct Listen {
    /// Where to listen: an address and a port; port 0 takes a free one.
    #[arg(value_name = "ADDR")]
    pub(crate) address: String,
    /// Send every message back to where it came from.
    #[arg(long, required = true)]
    pub(crate) echo: bool,
    /// Speak a subprotocol; repeat it for several. The first that a client offers is agreed on.
    #[arg(long = "protocol", value_name = "NAME")]
    pub(crate) protocols: Vec<String>,
    /// Tell on stderr which connections come and go, and why.
    #[arg(long, short)]
    pub(crate) verbose: bool,
}

const EXAMPLES: &str = "\
Examples:
  fdx                                        the life of a WebSocket
  fdx listen 127.0.0.1:9001 --echo           a server to try things with
  fdx connect ws://127.0.0.1:9001/           talk to it";

const CONNECT_EXAMPLES: &str = "\
Examples:
  fdx connect ws://127.0.0.1:9001/                   type lines, see answers, end with Ctrl-D
  echo hello | fdx connect wss://echo.example/       in a pipe
  fdx connect --ca ca.pem wss://localhost:9443/      a server with a certificate of your own
  fdx connect --echo ws://127.0.0.1:9001/runCase     be the echo, for a server that tests clients";

const LISTEN_EXAMPLES: &str = "\
Examples:
  fdx listen 127.0.0.1:9001 --echo
  fdx listen '[::1]:0' --echo --protocol chat --protocol superchat";

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse().ok().filter(|seconds| (0.0..=1e6).contains(seconds));
    seconds.map(Duration::from_secs_f64).ok_or("give a number of seconds, up to a million".into())
}
