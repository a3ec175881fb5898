use std::time::Duration;

use clap::{Args, ValueEnum};

use crate::client::Client;
use crate::values::seconds;

/// Connect to a server: each line of input is sent as a message, each message is printed as a line.
///
/// In a terminal, lines can be edited and are kept in a history; type /help for commands. In a
/// pipe, fdx sends all of stdin, waits for one answer to each message, and closes. If stdout is a
/// terminal, received messages begin with `<`, and their further lines with `|`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Connect {
    #[command(flatten)]
    pub(super) client: Client,
    /// Send this message as soon as the connection is open. Repeat the option for several.
    #[arg(long = "send", short = 'x', value_name = "MESSAGE", help_heading = MESSAGES)]
    pub(super) first: Vec<String>,
    /// How to send the input: each line as text, each line as a binary message written in hex or base64, or
    /// all of stdin as one message.
    #[arg(long, value_name = "FORM", value_enum, default_value_t, help_heading = MESSAGES)]
    pub(super) input: Input,
    #[command(flatten)]
    pub(super) printing: Printing,
    /// Close after this many messages have arrived.
    #[arg(long, value_name = "COUNT", help_heading = END)]
    pub(super) count: Option<u64>,
    /// In a pipe, wait at most this long for the next message after stdin has ended, while answers
    /// or messages of --count are missing. `forever` waits until the server closes; 0 does not wait
    /// for answers.
    #[arg(long, value_name = "SECONDS", default_value = "2", value_parser = wait, help_heading = END)]
    pub(super) wait: Wait,
    /// Reconnect when the connection is lost or cannot be opened, until fdx closes it.
    #[arg(long, help_heading = END)]
    pub(super) reconnect: bool,
    /// Echo every message until the server closes. Stdin is not read.
    #[arg(long, conflicts_with_all = ["first", "input", "output", "json", "timestamps", "ndjson", "count", "wait", "reconnect"])]
    pub(super) echo: bool,
    /// Keep no history of typed lines.
    #[arg(long)]
    pub(super) no_history: bool,
}

/// How messages and events are printed.
#[derive(Debug, Clone, Args)]
pub(super) struct Printing {
    /// How to print binary messages: a line of hex, a line of base64, or the bytes as they are.
    #[arg(long, value_name = "FORM", value_enum, default_value_t, help_heading = MESSAGES)]
    pub(super) output: BinaryForm,
    /// Indent text that is JSON, up to 1 MiB.
    #[arg(long, help_heading = MESSAGES)]
    pub(super) json: bool,
    /// Print before each message the seconds since the connection opened.
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

/// How a binary message is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(super) enum BinaryForm {
    #[default]
    Hex,
    Base64,
    Raw,
}

/// How long a pipe waits for the next message.
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
  fdx connect 9001                                        the same, shorter
  echo hello | fdx connect wss://echo.example/            in a pipe
  fdx connect -x '{\"subscribe\":\"news\"}' wss://news.example/
  fdx connect --count 1 --wait 60 wss://news.example/ </dev/null      the first message, and no more
  fdx connect --wait forever --ndjson wss://news.example/ </dev/null | jq .text
  fdx connect --wait 0 wss://log.example/ <log            send lines without waiting for answers
  fdx connect --input file --output raw ws://127.0.0.1:9001/ <photo.jpg >answer.jpg
  fdx connect --reconnect -H @headers wss://example.com/
  fdx connect --ca ca.pem wss://localhost:9443/           a server with a certificate of your own
  fdx connect --echo ws://127.0.0.1:9001/runCase          be the echo, for a server that tests clients

Exit codes:
  0  everything was sent and answered, and the connection closed in order
  1  the connection was lost, or an answer did not come
  2  the arguments cannot be used
  3  no connection was opened

Ctrl-C and SIGTERM close the connection with code 1001; the exit code is 0 if the server answers the Close
within a second.";
