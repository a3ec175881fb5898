//! The names of keys and channels (HUB-7).

use std::sync::Arc;

use bytes::Bytes;

use crate::broker::link::{Channel, Inbox};
use crate::options::HubOptions;

/// The names of a hub. All names of one topic have the same hash tag.
#[derive(Debug, Clone)]
pub(super) struct Keys {
    prefix: Arc<str>,
    pub(super) presence_ttl_ms: u64,
}

impl Keys {
    pub(super) fn new(options: &HubOptions) -> Self {
        let presence_ttl_ms = options.presence_ttl.as_millis().max(1) as u64;
        Self { prefix: options.prefix.to_string().into(), presence_ttl_ms }
    }

    pub(super) fn log(&self, encoded: &str) -> String {
        format!("{{{}:{encoded}}}:log", self.prefix)
    }

    pub(super) fn members(&self, encoded: &str) -> String {
        format!("{{{}:{encoded}}}:members", self.prefix)
    }

    /// Returns the channel of the entries of a topic with a history.
    pub(super) fn entries(&self, encoded: &str) -> String {
        format!("{{{}:{encoded}}}:entries", self.prefix)
    }

    /// Returns the channel of a topic, with or without a history.
    pub(super) fn channel(&self, channel: &Channel) -> String {
        match channel.history {
            Some(_) => self.entries(&channel.encoded),
            None => format!("{{{}:{}}}:live", self.prefix, channel.encoded),
        }
    }
}

/// Passes on a message that was published to a channel.
pub(super) fn receive(inbox: &Inbox, channel: &[u8], mut payload: Bytes) {
    match parse(channel) {
        Some((encoded, "live")) => inbox.content(encoded, payload),
        Some((encoded, "entries")) => {
            let end = payload.iter().position(|&byte| byte == b' ');
            let id = end.and_then(|end| id(&payload.split_to(end)));
            match id {
                Some((epoch, offset)) => {
                    let previous = offset.saturating_sub(1);
                    inbox.entry(encoded, epoch, offset, previous, payload.slice(1..));
                }
                None => inbox.foreign("an entry of a log"),
            }
        }
        _ => {}
    }
}

/// Handles the end of the subscription to a channel. If the node still follows the topic, the connection is lost.
pub(super) fn unsubscribed(inbox: &Inbox, channel: &[u8]) {
    if let Some((encoded, _)) = parse(channel) {
        inbox.unsubscribed(encoded);
    }
}

/// Returns the encoded topic and the kind of a channel.
fn parse(channel: &[u8]) -> Option<(&str, &str)> {
    let (tag, kind) = std::str::from_utf8(channel).ok()?.strip_prefix('{')?.split_once("}:")?;
    Some((tag.split_once(':')?.1, kind))
}

/// Returns epoch and offset of the id of an entry.
pub(super) fn id(text: &[u8]) -> Option<(u64, u64)> {
    let (epoch, offset) = std::str::from_utf8(text).ok()?.split_once('-')?;
    Some((epoch.parse().ok()?, offset.parse().ok()?))
}
