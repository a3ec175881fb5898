use std::time::Duration;

use clap::Args;

use crate::client::Client;
use crate::values::{positive_seconds, seconds};

/// Show how a server is reached, what it negotiates, how fast it answers, and what looks wrong.
///
/// fdx connects once, sends pings, and closes. It sends no messages.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Probe {
    #[command(flatten)]
    pub(super) client: Client,
    /// Send this many pings, one after the other.
    #[arg(long, value_name = "COUNT", default_value_t = 20)]
    pub(super) pings: u32,
    /// Wait this long before the next Ping.
    #[arg(long, value_name = "SECONDS", default_value = "0.05", value_parser = seconds)]
    pub(super) interval: Duration,
    /// Wait at most this long for a Pong, and for the answer to a Close.
    #[arg(long, value_name = "SECONDS", default_value = "5", value_parser = positive_seconds)]
    pub(super) answer_timeout: Duration,
    /// Print everything as one JSON object. Times are in seconds.
    #[arg(long)]
    pub(super) json: bool,
}

const EXAMPLES: &str = "\
Examples:
  fdx probe wss://echo.example/                           everything on one screen
  fdx probe --ca ca.pem wss://localhost:9443/             a server with a certificate of your own
  fdx probe --json wss://echo.example/ | jq .findings     for scripts
  fdx probe --pings 200 --interval 0.1 ws://[::1]:9001/   for a better p99

Exit codes:
  0  the connection opened and closed in order, whatever looks wrong
  1  the connection was lost, or did not close in order
  2  the arguments cannot be used
  3  no connection was opened; the screen shows how far it came";
