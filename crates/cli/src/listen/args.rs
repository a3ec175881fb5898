use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use fullduplex::Origin;

use super::address::Address;
use crate::values::{seconds, size};

/// Serve WebSockets, and a page at / by which a browser connects.
///
/// Without --echo and --broadcast, each line of stdin is sent to all clients, and each message of a
/// client is printed as a line: text as it is, binary messages as hex. Lines wait for the first
/// client. The server runs until it is interrupted, also when stdin has ended.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Listen {
    /// Where to listen: PORT on 127.0.0.1, HOST:PORT, or unix:PATH; port 0 takes a free one.
    #[arg(value_name = "ADDR")]
    pub(super) address: Address,
    #[command(flatten)]
    pub(super) mode: ModeArgs,
    /// Take one client only, and end when it has gone; with exit code 1 if its connection was lost.
    #[arg(long)]
    pub(super) once: bool,
    /// Print what happens as JSON, one event in each line.
    #[arg(long)]
    pub(super) ndjson: bool,
    /// Tell on stderr which connections come and go, and why.
    #[arg(long, short)]
    pub(super) verbose: bool,
    #[command(flatten)]
    pub(super) guests: Guests,
    #[command(flatten)]
    pub(super) tls: TlsArgs,
}

/// What becomes of messages.
#[derive(Debug, Args)]
pub(super) struct ModeArgs {
    /// Send every message back to where it came from.
    #[arg(long, conflicts_with = "broadcast")]
    pub(super) echo: bool,
    /// Send every message to all other clients.
    #[arg(long)]
    pub(super) broadcast: bool,
}

/// Who may connect, and how.
#[derive(Debug, Args)]
pub(super) struct Guests {
    /// Speak a subprotocol; repeat it for several. The first that a client offers is agreed on.
    #[arg(long = "protocol", value_name = "NAME", help_heading = GUESTS)]
    pub(super) protocols: Vec<String>,
    /// Let web pages of this origin connect, such as http://localhost:3000; repeat it for several. By
    /// default the pages of this server may, and all pages if it only echoes.
    #[arg(long = "origin", value_name = "ORIGIN", help_heading = GUESTS)]
    pub(super) origins: Vec<Origin>,
    /// Let all web pages connect: whatever site a user visits can read and say things here.
    #[arg(long, conflicts_with = "origins", help_heading = GUESTS)]
    pub(super) any_origin: bool,
    /// Do not agree to compression.
    #[arg(long, help_heading = GUESTS)]
    pub(super) no_compression: bool,
    /// The most that a message of a client may have, in bytes, or with k, M or G behind.
    #[arg(long, value_name = "SIZE", value_parser = size, help_heading = GUESTS)]
    pub(super) max_message: Option<usize>,
    /// Ask a client by a Ping whenever it was silent for so long, and give it up if it does not answer
    /// for as long again; 0 never asks.
    #[arg(long, value_name = "SECONDS", default_value = "20", value_parser = seconds, help_heading = GUESTS)]
    pub(super) ping: Duration,
}

/// How to be wss.
#[derive(Debug, Args)]
pub(super) struct TlsArgs {
    /// Speak TLS, with a certificate made on the spot: for localhost and the host of ADDR, for 30 days.
    #[arg(long, conflicts_with = "cert", help_heading = TLS)]
    pub(super) tls: bool,
    /// Write the certificate of --tls to a file, for `fdx connect --ca FILE` and other clients.
    #[arg(long, value_name = "FILE", requires = "tls", help_heading = TLS)]
    pub(super) write_cert: Option<PathBuf>,
    /// Speak TLS with this certificate: PEM, those that lead to a root behind it.
    #[arg(long, value_name = "FILE", requires = "key", help_heading = TLS)]
    pub(super) cert: Option<PathBuf>,
    /// The private key of --cert, PEM.
    #[arg(long, value_name = "FILE", requires = "cert", help_heading = TLS)]
    pub(super) key: Option<PathBuf>,
}

const GUESTS: &str = "Clients";
const TLS: &str = "TLS";

const EXAMPLES: &str = "\
Examples:
  fdx listen 9001                                    talk to whoever connects; a page is at /
  fdx listen 9001 --echo                             a server to try clients with
  fdx listen 0.0.0.0:9001 --broadcast                a chat room for the network
  tail -f log | fdx listen 9001                      show a log in browsers
  fdx listen 9001 --once > received                  take what one client sends
  fdx listen 9443 --tls --write-cert cert.pem        then: fdx connect --ca cert.pem wss://localhost:9443/

A client that does not read what is sent to it holds the others up for 5 seconds at most, and is closed
with 1008 then. An interrupt closes all connections with 1001, within a second.";
