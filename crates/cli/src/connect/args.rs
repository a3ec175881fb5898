use std::time::Duration;

use clap::Args;

use crate::client::Client;
use crate::values::seconds;

/// Connect to a server: each line of stdin is sent as a message, each message is printed as a line.
///
/// At the end of stdin it waits for one answer to each message, or until nothing has come for a
/// while, then closes. Text is printed as it is, binary messages as hex.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Connect {
    #[command(flatten)]
    pub(super) client: Client,
    /// Send every message back to where it came from, until the server closes; stdin is not read.
    #[arg(long)]
    pub(super) echo: bool,
    /// How long to wait for a further message when answers are still missing at the end of stdin.
    #[arg(long, value_name = "SECONDS", default_value = "2", value_parser = seconds, conflicts_with = "echo")]
    pub(super) wait: Duration,
}

const EXAMPLES: &str = "\
Examples:
  fdx connect ws://127.0.0.1:9001/                   type lines, see answers, end with Ctrl-D
  echo hello | fdx connect wss://echo.example/       in a pipe
  fdx connect --ca ca.pem wss://localhost:9443/      a server with a certificate of your own
  fdx connect --echo ws://127.0.0.1:9001/runCase     be the echo, for a server that tests clients";
