use std::path::PathBuf;

use clap::Args;
use fullduplex::Origin;
use fullduplex_hub::Topic;

use super::address::Address;
use crate::hub::HubArgs;
use crate::values::{AllowedHost, PingInterval, size};

/// Serve WebSockets, and at / a page that lets a browser connect.
///
/// By default, each line of stdin is sent to all clients, and each message from a client is printed
/// as a line: text as it is, binary messages as hex. Lines wait until the first client connects.
/// The server runs until it is interrupted, even after stdin has ended.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Listen {
    /// Where to listen: PORT on 127.0.0.1, HOST:PORT, or unix:PATH. Port 0 takes a free port.
    #[arg(value_name = "ADDR")]
    pub(super) address: Address,
    #[command(flatten)]
    pub(super) mode: ModeArgs,
    /// Accept only one client, and exit when its connection ends, with exit code 1 if the
    /// connection was lost.
    #[arg(long)]
    pub(super) once: bool,
    /// Print events as JSON, one per line.
    #[arg(long)]
    pub(super) ndjson: bool,
    /// Log connections on stderr: who connects and closes, and why.
    #[arg(long, short)]
    pub(super) verbose: bool,
    #[command(flatten)]
    pub(super) clients: Clients,
    #[command(flatten)]
    pub(super) tls: TlsArgs,
}

/// What the server does with messages.
#[derive(Debug, Args)]
pub(super) struct ModeArgs {
    /// Echo every message to its sender.
    #[arg(long, conflicts_with = "broadcast")]
    pub(super) echo: bool,
    /// Send every message to all other clients.
    #[arg(long)]
    pub(super) broadcast: bool,
    /// With --broadcast, be one room with all servers that name the same broker and topic: nats://, tls://
    /// (NATS with TLS), redis:// or rediss://.
    #[arg(long, value_name = "URL", requires_all = ["broadcast", "topic"], help_heading = HUB)]
    pub(super) hub: Option<String>,
    /// The topic of --hub.
    #[arg(long, value_name = "NAME", requires = "hub", help_heading = HUB)]
    pub(super) topic: Option<Topic>,
    #[command(flatten)]
    pub(super) hub_args: HubArgs,
}

/// Which clients may connect, and with which options.
#[derive(Debug, Args)]
pub(super) struct Clients {
    /// Support a subprotocol. Repeat the option for several. The server selects the first one that
    /// the client offers.
    #[arg(long = "protocol", value_name = "NAME", help_heading = CLIENTS)]
    pub(super) protocols: Vec<String>,
    /// Let web pages of this origin connect, such as http://localhost:3000. Repeat the option for
    /// several. By default, pages of this server may connect, and with --echo all pages.
    #[arg(long = "origin", value_name = "ORIGIN", help_heading = CLIENTS)]
    pub(super) origins: Vec<Origin>,
    /// Let all web pages connect. Any site that a user of this machine visits can then read and
    /// send messages here.
    #[arg(long, conflicts_with = "origins", help_heading = CLIENTS)]
    pub(super) any_origin: bool,
    /// Answer requests for this host name, such as that of a reverse proxy, and for localhost and IP
    /// addresses; `*` allows any host. Repeat the option for several. By default, a server on a
    /// loopback address answers requests for localhost and IP addresses only, so that no web page can
    /// reach it under another host name.
    #[arg(long = "host", value_name = "NAME", help_heading = CLIENTS)]
    pub(super) hosts: Vec<AllowedHost>,
    /// Also speak HTTP/2, on the same port. Each WebSocket is a stream of its connection (RFC 8441).
    #[arg(long, help_heading = CLIENTS)]
    pub(super) http2: bool,
    /// Do not accept compression.
    #[arg(long, help_heading = CLIENTS)]
    pub(super) no_compression: bool,
    /// Close with 1009 if a message has more bytes. Units: k, M, G.
    #[arg(long, value_name = "SIZE", value_parser = size, help_heading = CLIENTS)]
    pub(super) max_message: Option<usize>,
    /// Answer an opening request with 431 if its head has more bytes. Units: k, M, G. Default: 16k.
    #[arg(long, value_name = "SIZE", value_parser = size, help_heading = CLIENTS)]
    pub(super) max_head: Option<usize>,
    /// Answer an opening request with 431 if it has more headers. Default: 100.
    #[arg(long, value_name = "COUNT", help_heading = CLIENTS)]
    pub(super) max_headers: Option<usize>,
    /// Send a Ping at this interval, and close the connection if no Pong arrives within the same
    /// time. 0 disables Pings.
    #[arg(long, value_name = "SECONDS", default_value = "20", help_heading = CLIENTS)]
    pub(super) ping: PingInterval,
}

/// How to serve wss.
#[derive(Debug, Args)]
pub(super) struct TlsArgs {
    /// Use TLS with a new certificate for localhost and the host of ADDR, valid for 30 days.
    #[arg(long, conflicts_with = "cert", help_heading = TLS)]
    pub(super) tls: bool,
    /// Write the certificate of --tls to this file, for `fdx connect --ca FILE` and other clients.
    #[arg(long, value_name = "FILE", requires = "tls", help_heading = TLS)]
    pub(super) write_cert: Option<PathBuf>,
    /// Use TLS with this certificate: PEM, followed by its intermediates.
    #[arg(long, value_name = "FILE", requires = "key", help_heading = TLS)]
    pub(super) cert: Option<PathBuf>,
    /// The private key of --cert, in PEM.
    #[arg(long, value_name = "FILE", requires = "cert", help_heading = TLS)]
    pub(super) key: Option<PathBuf>,
}

const CLIENTS: &str = "Clients";
const HUB: &str = "Hub";
const TLS: &str = "TLS";

const EXAMPLES: &str = "\
Examples:
  fdx listen 9001                                    talk to clients; a page is at http://127.0.0.1:9001/
  fdx listen 9001 --echo                             an echo server to try clients with
  fdx listen 0.0.0.0:9001 --broadcast                a chat room for the network
  fdx listen 9001 --broadcast --hub nats://127.0.0.1:4222 --topic room
                                                     one room with other servers
  tail -f log | fdx listen 9001                      show a log in browsers
  fdx listen 9001 --once > received                  keep what one client sends
  fdx listen 9443 --tls --write-cert cert.pem        then: fdx connect --ca cert.pem wss://localhost:9443/

Clients that do not read delay a message to all for at most 5 seconds, and are then closed with 1008. When
stdout is a terminal, each message begins with the number of its client and `<`, and its further lines with
`|`. Ctrl-C and SIGTERM close all connections with 1001 within a second.";
