use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use crate::history::History;
use crate::position::Position;
use crate::topic::Topic;

/// Options of a [`Hub`](crate::Hub). All nodes of a hub need the same `prefix` and `histories`.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct HubOptions {
    /// The beginning of all names at the broker. Hubs with different prefixes on one broker are independent of each
    /// other (HUB-7). Default: `fullduplex`.
    pub prefix: Prefix,
    /// The histories of topics, each with the beginning of the names of its topics. If several beginnings match a name,
    /// the longest one applies. An empty text matches all topics. Default: none.
    pub histories: Vec<(String, History)>,
    /// The maximum number of bytes of a message, and of the data of a member. A longer one is not published, and is skipped
    /// if another program has written it to the broker. A broker may have a lower limit, such as `max_payload` of NATS.
    /// Default: 1 MiB.
    pub max_message: usize,
    /// What happens to messages that are published without a connection to the broker. Default:
    /// [`Outbox::Fail`].
    pub outbox: Outbox,
    /// The timeout of the broker's answers when subscribing, publishing, joining, and listing members. Default:
    /// 5 seconds.
    pub timeout: Duration,
    /// The interval between checks of an idle connection to the broker. If the broker does not answer within `timeout`,
    /// the connection is considered lost. Default: 5 seconds.
    pub keepalive: Duration,
    /// How long this node follows a topic after its last subscriber has left. Default: 5 seconds.
    pub linger: Duration,
    /// How long the members of a dead node remain listed. Default: 30 seconds.
    pub presence_ttl: Duration,
    /// A PEM file with the certificate authorities to trust for TLS with the broker. Default: the authorities of the
    /// system.
    pub ca_file: Option<PathBuf>,
}

impl Default for HubOptions {
    fn default() -> Self {
        Self {
            prefix: Prefix("fullduplex".into()),
            histories: Vec::new(),
            max_message: 1 << 20,
            outbox: Outbox::Fail,
            timeout: Duration::from_secs(5),
            keepalive: Duration::from_secs(5),
            linger: Duration::from_secs(5),
            presence_ttl: Duration::from_secs(30),
            ca_file: None,
        }
    }
}

impl HubOptions {
    /// Sets the history of the topics whose names begin with `names`.
    pub fn with_history(mut self, names: impl Into<String>, history: History) -> Self {
        self.histories.push((names.into(), history));
        self
    }

    /// Returns the history of a topic.
    pub(crate) fn history(&self, topic: &Topic) -> Option<History> {
        let fitting = self.histories.iter().filter(|(names, _)| topic.as_str().starts_with(names));
        fitting.max_by_key(|(names, _)| names.len()).map(|(_, history)| *history)
    }
}

/// The beginning of all names of a hub at its broker: 1 to 32 letters, digits, `-` and `_`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Prefix(String);

/// The error for a text that is not a valid [`Prefix`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("could not use the prefix {0:?}: it must be 1 to 32 letters, digits, `-` and `_`")]
pub struct PrefixError(String);

impl FromStr for Prefix {
    type Err = PrefixError;

    fn from_str(text: &str) -> Result<Self, PrefixError> {
        let is_good = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
        let good = (1..=32).contains(&text.len()) && text.bytes().all(is_good);
        good.then(|| Self(text.to_owned())).ok_or_else(|| PrefixError(text.to_owned()))
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What happens to messages that are published without a connection to the broker (HUB-5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outbox {
    /// Publishing fails immediately.
    Fail,
    /// Publishing waits for a connection, for at most [`HubOptions::timeout`]. At most this many messages may wait.
    Wait(usize),
}

/// Options of a [`Subscription`](crate::Subscription).
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct SubscribeOptions {
    /// Delivers first the messages after this position (HUB-3). If the position is no longer valid, delivers a gap and
    /// then the newest messages, up to the number in `latest`. Default: none.
    pub recover: Option<Position>,
    /// Delivers first this many of the newest messages. Applies if the topic has a history and `recover` is `None` or
    /// no longer valid. Default: 0.
    pub latest: usize,
    /// The number of bytes of messages that may wait for the subscriber. Default: 1 MiB.
    pub capacity: usize,
    /// What happens when the waiting messages would exceed `capacity`. Default: [`SlowPolicy::Drop`].
    pub slow: SlowPolicy,
}

impl Default for SubscribeOptions {
    fn default() -> Self {
        Self { recover: None, latest: 0, capacity: 1 << 20, slow: SlowPolicy::Drop }
    }
}

impl SubscribeOptions {
    /// Sets the position after which the subscription starts.
    pub fn recover(mut self, position: impl Into<Option<Position>>) -> Self {
        self.recover = position.into();
        self
    }

    /// Sets how many of the newest messages are delivered first.
    pub fn latest(mut self, count: usize) -> Self {
        self.latest = count;
        self
    }

    /// Sets what happens to a subscriber that is slow.
    pub fn slow(mut self, policy: SlowPolicy) -> Self {
        self.slow = policy;
        self
    }

    /// Sets the number of bytes of messages that may wait for the subscriber.
    pub fn capacity(mut self, bytes: usize) -> Self {
        self.capacity = bytes;
        self
    }
}

/// What happens when a subscriber does not receive messages as fast as they arrive. No subscriber delays another
/// (HUB-4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SlowPolicy {
    /// Messages are dropped, and the subscriber receives a gap.
    Drop,
    /// The subscription ends: after the queued messages, the subscriber receives a gap and then `None`.
    Close,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_beginning_of_a_name_decides_the_history() {
        let [all, rooms] = [1, 2].map(|size| History::new(size, Duration::from_secs(1)));
        let options = HubOptions::default().with_history("", all).with_history("rooms/", rooms);
        let history = |name| options.history(&Topic::new(name).unwrap());
        assert_eq!([history("rooms/1"), history("room")], [Some(rooms), Some(all)]);
        assert_eq!(HubOptions::default().history(&Topic::new("a").unwrap()), None);
    }

    /// HUB-7.
    #[test]
    fn a_prefix_has_no_syntax() {
        assert!("tenant-1_a".parse::<Prefix>().is_ok());
        for bad in ["", "a.b", "a b", "*", ">", "{a}", "a:b", "é", &"a".repeat(33)] {
            assert!(bad.parse::<Prefix>().is_err(), "{bad}");
        }
    }
}
