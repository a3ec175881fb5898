use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use crate::client::Client;
use crate::values::{seconds, size};

/// Load an echo server, and tell how fast it answers.
///
/// By default each connection sends a message when its last one was answered: a closed loop, which finds
/// out how much a server can do, and is as slow as the server. With --rate, messages are sent at their
/// times whatever the answers do, as users do; each delay counts then, also that of messages behind it.
///
/// Where this tool itself stood still, it says so, and keeps the messages concerned apart.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Bench {
    #[command(flatten)]
    pub(super) client: Client,
    /// Open so many connections.
    #[arg(long, short, value_name = "COUNT", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..), help_heading = LOAD)]
    pub(super) connections: u32,
    /// Send so many messages per second, over all connections: an open loop.
    #[arg(long, short, value_name = "PER SECOND", value_parser = rate, help_heading = LOAD)]
    pub(super) rate: Option<f64>,
    /// In a closed loop, have so many messages under way on each connection.
    #[arg(long, value_name = "COUNT", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..), conflicts_with = "rate", help_heading = LOAD)]
    pub(super) in_flight: u32,
    /// Measure for so long.
    #[arg(long, short, value_name = "SECONDS", default_value = "10", value_parser = seconds, help_heading = LOAD)]
    pub(super) duration: Duration,
    /// Send for so long before that, when all connections are open.
    #[arg(long, value_name = "SECONDS", default_value = "1", value_parser = seconds, help_heading = LOAD)]
    pub(super) warmup: Duration,
    /// Open the connections evenly over so long.
    #[arg(long, value_name = "SECONDS", default_value = "0", value_parser = seconds, help_heading = LOAD)]
    pub(super) ramp: Duration,
    /// Have so many handshakes under way at once.
    #[arg(long, value_name = "COUNT", default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..), help_heading = LOAD)]
    pub(super) handshakes: u32,
    /// The size of a message, in bytes, or with k or M behind.
    #[arg(long, short, value_name = "SIZE", default_value = "128", value_parser = size, help_heading = MESSAGES)]
    pub(super) size: usize,
    /// Send bytes instead of text.
    #[arg(long, help_heading = MESSAGES)]
    pub(super) binary: bool,
    /// What is in the messages, which counts where they are compressed.
    #[arg(long, value_enum, default_value_t = Content::Words, help_heading = MESSAGES)]
    pub(super) content: Content,
    /// Write the result as JSON to a file, or with `-` to stdout instead of the text; times in seconds.
    #[arg(long, value_name = "FILE", help_heading = RESULT)]
    pub(super) json: Option<PathBuf>,
    /// Draw the latency by percentiles into a file.
    #[arg(long, value_name = "FILE", help_heading = RESULT)]
    pub(super) svg: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Content {
    /// Shrinks to about a third.
    Words,
    /// Does not shrink, as what is compressed or encrypted already.
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
  fdx bench ws://127.0.0.1:9001/                              10 connections, as fast as it answers
  fdx bench --rate 5000 -c 200 ws://127.0.0.1:9001/           as 200 users would see it
  fdx bench -c 5000 --ramp 20 --rate 500 --size 2k wss://echo.example/
  fdx bench --rate 1000 --svg latency.svg --json result.json ws://127.0.0.1:9001/

Exit codes:
  0  all messages were answered; also when Ctrl-C has cut it short
  1  a message was lost or answered wrongly, or a connection failed
  2  the arguments cannot be used
  3  there was never a connection";
