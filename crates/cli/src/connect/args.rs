use std::time::Duration;

use clap::{Args, ValueEnum};

use crate::client::Client;
use crate::values::seconds;

/// Connect to a server: lines become messages, messages become lines.
///
/// In a terminal, lines are edited and kept in a history; /help tells what else can be typed. In a pipe, all
/// of stdin is sent; at its end fdx waits for one answer to each message, or until nothing has come for a
/// while, and closes.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Connect {
    #[command(flatten)]
    pub(super) client: Client,
    /// What is sent: each line as text, each line as binary in hex or base64, or all of stdin as one message.
    #[arg(long, value_name = "FORM", value_enum, default_value_t, help_heading = MESSAGES)]
    pub(super) input: Input,
    #[command(flatten)]
    pub(super) printing: Printing,
    /// Close after so many messages have come.
    #[arg(long, value_name = "NUMBER", help_heading = END)]
    pub(super) count: Option<u64>,
    /// At the end of stdin, how long to wait for a further message when answers are missing; `forever` holds
    /// the connection until the server closes it.
    #[arg(long, value_name = "SECONDS", default_value = "2", value_parser = wait, help_heading = END)]
    pub(super) wait: Wait,
    /// Come back when the connection is lost, until fdx closes it. The first attempt is repeated as well.
    #[arg(long, help_heading = END)]
    pub(super) reconnect: bool,
    /// Send every message back to where it came from, until the server closes; stdin is not read.
    #[arg(long, conflicts_with_all = ["input", "output", "json", "timestamps", "ndjson", "count", "wait", "reconnect"])]
    pub(super) echo: bool,
    /// Keep no history of what is typed.
    #[arg(long)]
    pub(super) no_history: bool,
}

/// How what happens is printed.
#[derive(Debug, Clone, Args)]
pub(super) struct Printing {
    /// How binary messages are printed: a line of hex or base64, or the bytes and nothing else.
    #[arg(long, value_name = "FORM", value_enum, default_value_t, help_heading = MESSAGES)]
    pub(super) output: Output,
    /// Indent text that is JSON.
    #[arg(long, help_heading = MESSAGES)]
    pub(super) json: bool,
    /// Print in front of each message when it came, in seconds since the connection was opened.
    #[arg(long, help_heading = MESSAGES)]
    pub(super) timestamps: bool,
    /// Print each event as a line of JSON: open, message, lost, undelivered, close.
    #[arg(long, conflicts_with_all = ["json", "timestamps", "output"], help_heading = MESSAGES)]
    pub(super) ndjson: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(super) enum Input {
    #[default]
    Text,
    Hex,
    Base64,
    /// All of stdin is one binary message.
    File,
    /// All of stdin is one text message.
    TextFile,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(super) enum Output {
    #[default]
    Hex,
    Base64,
    Raw,
}

/// How long a pipe waits for further messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wait {
    For(Duration),
    Forever,
}

fn wait(text: &str) -> Result<Wait, String> {
    match text {
        "forever" => Ok(Wait::Forever),
        text => seconds(text).map(Wait::For),
    }
}

const MESSAGES: &str = "Messages";
const END: &str = "The end";

const EXAMPLES: &str = "\
Examples:
  fdx connect ws://127.0.0.1:9001/                        type lines, see answers, end with Ctrl-D
  echo hello | fdx connect wss://echo.example/            in a pipe
  fdx connect --count 1 wss://news.example/ </dev/null    one message, and no more
  fdx connect --wait forever --ndjson wss://news.example/ </dev/null | jq .text
  fdx connect --input file --output raw ws://127.0.0.1:9001/ <photo.jpg >answer.jpg
  fdx connect --reconnect -H 'Authorization: Bearer …' wss://example.com/
  fdx connect --ca ca.pem wss://localhost:9443/           a server with a certificate of your own
  fdx connect --echo ws://127.0.0.1:9001/runCase          be the echo, for a server that tests clients";
