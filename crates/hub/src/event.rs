use std::time::SystemTime;

use fullduplex_proto::Prepared;

use crate::feed::GapReason;
use crate::position::Position;

/// What a [`Subscription`](crate::Subscription) receives.
#[derive(Debug, Clone)]
pub enum Event {
    /// A message of the topic.
    Message(Delivery),
    /// Messages may be missing here (HUB-2). The messages before and after the gap are in order.
    Gap(Gap),
}

/// A message of a topic.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// The message, encoded and compressed once for all subscribers of this node (HUB-4).
    pub message: Prepared,
    /// The position of the message; `None` if the topic has no history.
    pub position: Option<Position>,
}

/// Messages may be missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Gap {
    /// The reason for the gap.
    pub reason: GapReason,
    /// When the gap began.
    pub since: SystemTime,
    /// The number of missing messages, if it is known.
    pub messages: Option<u64>,
}
