use std::path::PathBuf;

use clap::{Args, Subcommand};
use fullduplex_hub::{History, HubOptions, Position, Prefix, Topic};

use crate::values::seconds;

/// Publish to topics of a hub on NATS or Redis, and show what is in them.
///
/// A hub joins servers, so that a room is the same on all of them: see --hub of `fdx listen`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct HubCommand {
    #[command(subcommand)]
    pub(super) action: Action,
}

#[derive(Debug, Subcommand)]
pub(super) enum Action {
    /// Publish a text to a topic, or each line of stdin.
    Publish {
        #[command(flatten)]
        topic_args: TopicArgs,
        /// The text. Without it, lines are read from stdin.
        text: Option<String>,
    },
    /// Print the messages of a topic: text as it is, binary messages as hex. Gaps are reported on stderr.
    Subscribe {
        #[command(flatten)]
        topic_args: TopicArgs,
        /// Print first what followed this position.
        #[arg(long, requires = "history")]
        recover: Option<Position>,
        /// Print first this many of the newest messages.
        #[arg(long, default_value_t = 0, requires = "history")]
        latest: usize,
        /// End after this many messages.
        #[arg(long)]
        count: Option<u64>,
        /// Print what happens as JSON, one event on each line.
        #[arg(long)]
        ndjson: bool,
    },
    /// Print the members of a topic, one on each line: a number and the data.
    Presence {
        #[command(flatten)]
        topic_args: TopicArgs,
        /// Join with this data until interrupted, instead of printing the members.
        #[arg(long, value_name = "DATA")]
        join: Option<String>,
    },
}

/// A topic of a hub.
#[derive(Debug, Args)]
pub(super) struct TopicArgs {
    /// The broker: nats://, tls:// (NATS with TLS), redis:// or rediss://.
    pub(super) url: String,
    /// The name of the topic.
    pub(super) topic: Topic,
    #[command(flatten)]
    pub(super) hub: HubArgs,
}

/// How the topics of a hub are kept. All servers and commands of a hub need the same.
#[derive(Debug, Args)]
pub(crate) struct HubArgs {
    /// The history of the topics, such as 100:60 for 100 messages and 60 seconds. By default they have none.
    #[arg(long, value_name = "SIZE:SECONDS", value_parser = history, help_heading = "Hub")]
    history: Option<History>,
    /// What the names at the broker begin with. Hubs with different prefixes know nothing of each other.
    #[arg(long, value_name = "NAME", default_value = "fullduplex", help_heading = "Hub")]
    prefix: Prefix,
    /// Trust the authorities in this PEM file for TLS with the broker, instead of those of the system.
    #[arg(long, value_name = "FILE", help_heading = "Hub")]
    hub_ca: Option<PathBuf>,
}

impl HubArgs {
    pub(crate) fn options(&self) -> HubOptions {
        let mut options = HubOptions::default();
        options.prefix = self.prefix.clone();
        options.ca_file = self.hub_ca.clone();
        match self.history {
            Some(history) => options.with_history("", history),
            None => options,
        }
    }
}

fn history(text: &str) -> Result<History, String> {
    let parsed = text.split_once(':').and_then(|(size, age)| {
        let size = size.parse().ok().filter(|&size| size > 0)?;
        Some(History::new(size, seconds(age).ok()?))
    });
    parsed.ok_or("give a number of messages and of seconds, such as 100:60".into())
}

const EXAMPLES: &str = "\
Examples:
  fdx hub subscribe nats://127.0.0.1:4222 room
  fdx hub publish nats://127.0.0.1:4222 room \"hello, all\"
  fdx hub presence redis://127.0.0.1:6379 room";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_history_is_a_size_and_an_age() {
        let history_of = |text| history(text).map(|it| (it.size(), it.age().as_secs()));
        assert_eq!(history_of("100:60"), Ok((100, 60)));
        for bad in ["", "100", ":60", "0:60", "100:", "a:b", "100:60:1"] {
            assert!(history(bad).is_err(), "{bad}");
        }
    }
}
