use clap::Args;

use crate::client::Client;
use crate::values::{AllowedHost, tcp_address};

/// Show every frame between clients and a server, as a proxy between them.
///
/// Clients connect to LISTEN instead of the server. fdx forwards their requests to URL. In each
/// request, it sets the host of URL, the path of URL if it has one, and the headers of the options.
/// Everything else passes unchanged, byte by byte, including protocol violations.
///
/// Clients may also speak HTTP/2, without TLS. fdx then speaks HTTP/2 with the server, and shows the
/// frames of each stream, and its END_STREAM or RST_STREAM.
///
/// Each line shows the number of the connection, and over HTTP/2 that of the stream, the time since
/// the client connected, and the time since the previous line. For a frame it shows the direction,
/// the flags (F for FIN, 1, 2, 3 for the reserved bits, M for masked), the opcode, the length, and
/// the decompressed content.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Tap {
    /// Where clients connect: PORT on 127.0.0.1, or HOST:PORT. Port 0 takes a free port.
    #[arg(value_name = "LISTEN", value_parser = tcp_address)]
    pub(super) listen: String,
    #[command(flatten)]
    pub(super) client: Client,
    /// Accept requests for this host name, and for localhost and IP addresses; `*` allows any host.
    /// Repeat the option for several. By default, on a loopback address, only requests for localhost
    /// and IP addresses are accepted, so that no web page can connect under another host name.
    #[arg(long = "host", value_name = "NAME")]
    pub(super) hosts: Vec<AllowedHost>,
    /// Show all headers, and the content of each frame up to 16 MiB.
    #[arg(long)]
    pub(super) full: bool,
    /// Print events as JSON, one per line.
    #[arg(long)]
    pub(super) ndjson: bool,
}

const EXAMPLES: &str = "\
Examples:
  fdx tap 9002 ws://127.0.0.1:9001/                  then connect to ws://127.0.0.1:9002/
  fdx tap 9002 wss://example.com/feed                see inside TLS: clients use ws to port 9002
  fdx tap 9002 ws://127.0.0.1:9001/ --no-compression turn compression off for both ends
  fdx tap 9002 ws://127.0.0.1:9001/ --ndjson | jq 'select(.violation)'

A slow terminal slows the connections down; nothing is dropped. The Origin of a page that came through the
tap becomes the server's. Pages of other sites keep their Origin, and get none of your headers and
credentials. Over HTTP/1.1, each connection carries one request. The client decides the version of HTTP.
--redirects, --keepalive, --max-message, --http2 and --any-port have no effect. Ctrl-C ends all connections
without a Close.";
