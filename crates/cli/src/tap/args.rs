use clap::Args;

use crate::client::Client;
use crate::values::tcp_address;

/// Show every frame that passes between clients and a server, as a proxy between them.
///
/// Clients connect to LISTEN instead of the server. Their requests go on to URL: with its host, and its
/// path if it has one. All else passes as it is, byte by byte, also what breaks the protocol. What the
/// options say of the opening request replaces what a client says.
///
/// Each line has the number of the connection, the time since it came, the time since the line before,
/// and for a frame: its direction, its flags (F for FIN, 1, 2, 3 for the reserved bits, M for masked), its
/// kind, its length, and its content, inflated if it was compressed.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Tap {
    /// Where clients connect: PORT on 127.0.0.1, or HOST:PORT; port 0 takes a free one.
    #[arg(value_name = "LISTEN", value_parser = tcp_address)]
    pub(super) listen: String,
    #[command(flatten)]
    pub(super) client: Client,
    /// Show all headers, and all of each frame, up to 16 MiB.
    #[arg(long)]
    pub(super) full: bool,
    /// Print what happens as JSON, one event in each line.
    #[arg(long)]
    pub(super) ndjson: bool,
}

const EXAMPLES: &str = "\
Examples:
  fdx tap 9002 ws://127.0.0.1:9001/                  then connect to ws://127.0.0.1:9002/
  fdx tap 9002 wss://example.com/feed                see inside TLS: clients speak ws to 9002
  fdx tap 9002 ws://127.0.0.1:9001/ --no-compression let nobody compress
  fdx tap 9002 ws://127.0.0.1:9001/ --ndjson | jq 'select(.violation)'

A terminal that shows slowly slows the connections down; nothing is dropped. The origin of a page that has
come through here becomes the server's; others stay as they are. --redirects, --keepalive and
--max-message change nothing here. An interrupt ends all connections as they are, without a Close.";
