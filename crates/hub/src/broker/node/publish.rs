//! Publishes messages.

use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::time::Instant;

use super::{Current, Node};
use crate::broker::link::{Attempt, Channel, LinkError};
use crate::entry::Content;
use crate::error::PublishError;
use crate::options::Outbox;
use crate::position::Position;
use crate::topic::Topic;

impl Node {
    pub(in crate::broker) async fn publish(
        &self,
        topic: &Topic,
        content: Content,
    ) -> Result<Option<Position>, PublishError> {
        let channel = Channel::new(topic, self.topics.options.history(topic));
        let log = channel.log();
        let deadline = Instant::now() + self.timeout();
        let mut attempt = Attempt::First;
        let mut after = 0;
        loop {
            let current = match self.current_for_publishing(after, deadline, attempt).await {
                Some(current) => current?,
                None => return Err(PublishError::Unknown),
            };
            let publishing = async {
                match &log {
                    Some(log) => current.link.append(log, &content, attempt).await.map(Some),
                    None => current.link.send(&channel, &content).await.map(|()| None),
                }
            };
            match self.in_time(publishing).await {
                Ok(position) => return Ok(position),
                Err(LinkError::Refused(reason)) => return Err(PublishError::Refused(reason)),
                Err(LinkError::NotSent) => {}
                // A log stores a message only once, even if it is sent several times.
                Err(LinkError::Lost(_)) if log.is_some() => attempt = Attempt::Again,
                Err(LinkError::Lost(_)) => return Err(PublishError::Unknown),
            }
            after = current.number;
        }
    }

    /// Returns the connection on which to publish, or waits for a connection as [`Outbox`] specifies. Returns `None` if
    /// the message was sent before and no other connection is open before the timeout.
    async fn current_for_publishing(
        &self,
        after: u64,
        deadline: Instant,
        attempt: Attempt,
    ) -> Option<Result<Current, PublishError>> {
        if let Some(current) = self.current.borrow().clone()
            && current.number > after
        {
            return Some(Ok(current));
        }
        let unavailable = || (attempt == Attempt::First).then_some(Err(PublishError::Unavailable));
        let Outbox::Wait(limit) = self.topics.options.outbox else { return unavailable() };
        let waiting = Waiting::enter(&self.waiting);
        if waiting.before >= limit {
            return (attempt == Attempt::First).then_some(Err(PublishError::Full(limit)));
        }
        match self.current_after(after, deadline).await {
            Ok(current) => Some(Ok(current)),
            Err(_) => unavailable(),
        }
    }
}

/// Counts a message in the outbox until this value is dropped.
struct Waiting<'a> {
    count: &'a AtomicUsize,
    /// The number of messages before it.
    before: usize,
}

impl<'a> Waiting<'a> {
    fn enter(count: &'a AtomicUsize) -> Self {
        Self { count, before: count.fetch_add(1, Ordering::Relaxed) }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.count.fetch_sub(1, Ordering::Relaxed);
    }
}
