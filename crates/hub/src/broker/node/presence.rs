//! The members that joined on this node.

use std::collections::HashMap;
use std::sync::{MutexGuard, PoisonError};

use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream;

use super::{AT_ONCE, Current, Node, with_link};
use crate::broker::link::{Channel, LinkError};
use crate::presence::MemberInfo;
use crate::topic::Topic;

impl Node {
    pub(in crate::broker) async fn join(
        &self,
        topic: &Topic,
        member: u64,
        data: Bytes,
    ) -> Result<(), LinkError> {
        let channel = Channel::new(topic, None);
        self.members().insert(member, (channel.clone(), data.clone()));
        with_link!(self, link => link.join(&channel, member, data.clone()))
    }

    /// Removes a member. If that fails, the member remains listed until its time to live ends.
    pub(in crate::broker) fn leave(&self, topic: &Topic, member: u64) {
        self.members().remove(&member);
        let Some(node) = self.itself.upgrade() else { return };
        let channel = Channel::new(topic, None);
        self.runtime.spawn(async move {
            if let Err(error) = node.remove_member(&channel, member).await {
                tracing::debug!(%error, "could not remove a member; it expires");
            }
        });
    }

    async fn remove_member(&self, channel: &Channel, member: u64) -> Result<(), LinkError> {
        with_link!(self, link => link.leave(channel, member))
    }

    /// Returns the members of a topic.
    pub(in crate::broker) async fn members_of(
        &self,
        topic: &Topic,
    ) -> Result<Vec<MemberInfo>, LinkError> {
        let channel = Channel::new(topic, None);
        with_link!(self, link => link.members(&channel))
    }

    /// Lists all members of this node again, before they expire (HUB-6).
    pub(super) async fn list_members(&self, current: &Current) -> Result<(), LinkError> {
        let ids: Vec<u64> = self.members().keys().copied().collect();
        let listed: Vec<_> = ids.into_iter().map(|id| self.list_member(current, id)).collect();
        let mut listed = stream::iter(listed).buffer_unordered(AT_ONCE);
        while let Some(result) = listed.next().await {
            result?;
        }
        Ok(())
    }

    async fn list_member(&self, current: &Current, member: u64) -> Result<(), LinkError> {
        let Some((channel, data)) = self.members().get(&member).cloned() else {
            return Ok(()); // it has left
        };
        match self.in_time(current.link.join(&channel, member, data)).await {
            Err(LinkError::Refused(reason)) => {
                tracing::warn!(reason, "the broker refused to list a member");
                Ok(())
            }
            result => result,
        }
    }

    fn members(&self) -> MutexGuard<'_, HashMap<u64, (Channel, Bytes)>> {
        self.members.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
