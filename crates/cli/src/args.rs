use clap::{Parser, Subcommand};

use crate::bench::Bench;
use crate::connect::Connect;
use crate::generated::{Completions, Man};
use crate::hub::HubCommand;
use crate::listen::Listen;
use crate::probe::Probe;
use crate::secrets::Secrets;
use crate::tap::Tap;

/// WebSockets in a terminal.
///
/// Without a command, fdx demonstrates the life of a WebSocket on a real connection within this
/// machine.
#[derive(Debug, Parser)]
#[command(name = "fdx", version, after_help = AFTER)]
pub(crate) struct Args {
    /// Print secrets too: passwords, tokens, cookies and keys in URLs, headers and subprotocols. By
    /// default they are replaced by `…`. The content of messages is always printed.
    #[arg(long, global = true)]
    show_secrets: bool,
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Bench(Box<Bench>),
    Completions(Completions),
    Connect(Box<Connect>),
    Hub(Box<HubCommand>),
    Listen(Box<Listen>),
    Man(Man),
    Probe(Box<Probe>),
    Tap(Box<Tap>),
}

impl Args {
    pub(crate) fn secrets(&self) -> Secrets {
        if self.show_secrets { Secrets::Shown } else { Secrets::Hidden }
    }
}

const AFTER: &str = "\
Examples:
  fdx                                        the life of a WebSocket
  fdx listen 127.0.0.1:9001 --echo           an echo server to try things with
  fdx connect ws://127.0.0.1:9001/           talk to it
  fdx probe wss://echo.example/              see how it is reached, and what looks wrong
  fdx bench --rate 1000 ws://127.0.0.1:9001/ load it, and measure how long it takes to answer
  fdx tap 9002 ws://127.0.0.1:9001/          show the frames of clients that connect to port 9002

Exit codes:
  0  success
  1  a connection was lost, or an answer did not come
  2  the arguments cannot be used
  3  no connection was opened

Ctrl-C and SIGTERM close connections with code 1001 and end fdx within a second.";
