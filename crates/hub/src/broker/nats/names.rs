//! The names of streams and subjects (HUB-7).

use std::sync::Arc;
use std::time::Duration;

use crate::history::History;
use crate::options::HubOptions;

#[derive(Debug, Clone)]
pub(super) struct Names {
    prefix: Arc<str>,
    pub(super) presence_ttl: Duration,
}

impl Names {
    pub(super) fn new(options: &HubOptions) -> Self {
        let presence_ttl = options.presence_ttl.max(Duration::from_secs(1));
        Self { prefix: options.prefix.to_string().into(), presence_ttl }
    }

    /// Returns the stream of all topics with this history.
    pub(super) fn log_stream(&self, history: History) -> String {
        format!("{}_log_{}_{}", self.prefix, history.size(), history.age().as_secs())
    }

    /// Returns the subject to which an entry is published.
    pub(super) fn log(&self, history: History, topic: &str) -> String {
        format!("{}.log.{}.{}.{topic}", self.prefix, history.size(), history.age().as_secs())
    }

    /// Returns the subject on which the stream publishes an entry that it has stored.
    pub(super) fn entries(&self, history: History, topic: &str) -> String {
        format!("{}.entries.{}.{}.{topic}", self.prefix, history.size(), history.age().as_secs())
    }

    /// Returns the subject of a topic without a history.
    pub(super) fn live(&self, topic: &str) -> String {
        format!("{}.live.{topic}", self.prefix)
    }

    /// Returns the stream of all members.
    pub(super) fn member_stream(&self) -> String {
        format!("{}_members_{}", self.prefix, self.presence_ttl.as_millis())
    }

    /// Returns the subject of a member.
    pub(super) fn member(&self, topic: &str, member: &str) -> String {
        format!("{}.members.{}.{topic}.{member}", self.prefix, self.presence_ttl.as_millis())
    }

    /// Returns the subject on which a connection receives its own messages.
    pub(super) fn echo(&self, connection: u64) -> String {
        format!("{}.echo.{connection:016x}", self.prefix)
    }
}
