use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use crate::client::Client;
use crate::values::{positive_seconds, seconds, size};

/// Load an echo server, and measure how fast it answers.
///
/// By default each connection sends the next message when the last one was answered: a closed loop.
/// It shows the server's capacity, and slows down with the server. With --rate, messages are sent
/// at fixed times, whether or not the server keeps up: an open loop, like real users. A delay then
/// counts for all messages that were due.
///
/// Answers are recognized by the number in each message, so the server may send other messages too.
/// If fdx itself stalls, it reports that and keeps the affected messages apart.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Bench {
    #[command(flatten)]
    pub(super) client: Client,
    /// Open this many connections.
    #[arg(long, short, value_name = "COUNT", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..), help_heading = LOAD)]
    pub(super) connections: u32,
    /// Send this many messages per second, over all connections: an open loop.
    #[arg(long, short, value_name = "PER SECOND", value_parser = rate, help_heading = LOAD)]
    pub(super) rate: Option<f64>,
    /// In a closed loop, keep this many messages in flight on each connection.
    #[arg(long, value_name = "COUNT", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..), conflicts_with = "rate", help_heading = LOAD)]
    pub(super) in_flight: u32,
    /// Measure for this long.
    #[arg(long, short, value_name = "SECONDS", default_value = "10", value_parser = positive_seconds, help_heading = LOAD)]
    pub(super) duration: Duration,
    /// Warm up for this long before measuring, once all connections are open.
    #[arg(long, value_name = "SECONDS", default_value = "1", value_parser = seconds, help_heading = LOAD)]
    pub(super) warmup: Duration,
    /// Open the connections evenly over this time.
    #[arg(long, value_name = "SECONDS", default_value = "0", value_parser = seconds, help_heading = LOAD)]
    pub(super) ramp: Duration,
    /// Run at most this many opening handshakes at the same time.
    #[arg(long, value_name = "COUNT", default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..), help_heading = LOAD)]
    pub(super) handshakes: u32,
    /// The size of a message in bytes. Units: k, M.
    #[arg(long, short, value_name = "SIZE", default_value = "128", value_parser = size, help_heading = MESSAGES)]
    pub(super) size: usize,
    /// Send binary messages instead of text.
    #[arg(long, help_heading = MESSAGES)]
    pub(super) binary: bool,
    /// The content of messages, which matters if they are compressed.
    #[arg(long, value_enum, default_value_t = Content::Words, help_heading = MESSAGES)]
    pub(super) content: Content,
    /// Write the result as JSON to this file; `-` writes it to stdout instead of the text. Times
    /// are in seconds.
    #[arg(long, value_name = "FILE", help_heading = RESULT)]
    pub(super) json: Option<PathBuf>,
    /// Draw the latency percentiles into this SVG file.
    #[arg(long, value_name = "FILE", help_heading = RESULT)]
    pub(super) svg: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Content {
    /// Compresses to about a third.
    Words,
    /// Does not compress, like compressed or encrypted data.
    Random,
}

fn rate(text: &str) -> Result<f64, String> {
    let rate = text.parse().ok().filter(|rate| (1e-3..=1e7).contains(rate));
    rate.ok_or("give a number of messages per second, from 0.001 to 10 million".into())
}

const LOAD: &str = "The load";
const MESSAGES: &str = "The messages";
const RESULT: &str = "The result";

const EXAMPLES: &str = "\
Examples:
  fdx bench ws://127.0.0.1:9001/                              10 connections, as fast as they are answered
  fdx bench --rate 5000 -c 200 ws://127.0.0.1:9001/           as 200 users see it
  fdx bench -c 5000 --ramp 20 --rate 500 --size 2k wss://echo.example/
  fdx bench --rate 1000 --svg latency.svg --json result.json ws://127.0.0.1:9001/

Exit codes:
  0  all messages were answered, also if Ctrl-C cut the run short
  1  no message was answered, a message was lost or answered wrongly, or a connection failed
  2  the arguments cannot be used
  3  no connection was opened";
