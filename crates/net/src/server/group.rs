use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use fullduplex_proto::{CloseCode, CloseFrame, Outgoing, Prepared};
use slab::Slab;

use crate::socket::sender::{Sender, TrySendError};

/// The members of a room: what is sent to the group is sent to each of them. Cloning it is cheap; all
/// clones are the same group.
///
/// A message is compressed at most once for all members whose windows are of one size, and not copied.
/// All members get the messages of a group in the same order. No member holds the others up: for one
/// that does not read as fast as the group talks, [`OverflowPolicy`] tells what becomes of the message.
///
/// # Example
///
/// ```
/// use fullduplex_net::{Group, Outcome, Request, Server, ServerOptions, OverflowPolicy};
///
/// async fn chat(request: Request, room: Group) -> Outcome {
///     let mut socket = request.accept().await?;
///     let _member = room.join(socket.sender()); // until the handler returns
///     while let Some(message) = socket.recv().await? {
///         room.send(message, OverflowPolicy::Close);
///     }
///     Ok(())
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let server = Server::bind("127.0.0.1:0", ServerOptions::default()).await?;
/// # let url = format!("ws://{}/", server.local_addr()?);
/// # tokio::spawn(async move {
/// let room = Group::new();
/// server.serve(move |request| chat(request, room.clone())).await;
/// # });
/// # let url = fullduplex_net::proto::Url::parse(&url)?;
/// # let (mut one, _) = fullduplex_net::connect(&url, &Default::default()).await?;
/// # one.send("I am here").await?;
/// # assert_eq!(one.recv().await?, Some("I am here".into()));
/// # let (mut other, _) = fullduplex_net::connect(&url, &Default::default()).await?;
/// # other.send("me too").await?;
/// # assert_eq!(one.recv().await?, Some("me too".into()));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Default)]
pub struct Group(Arc<Mutex<Slab<Sender>>>);

/// A place in a [`Group`], which is left when this is dropped.
#[derive(Debug)]
#[must_use = "dropping it leaves the group"]
pub struct Member {
    group: Group,
    key: usize,
}

/// What becomes of a message for a member whose queue is full, as [`Sender::with_capacity`] bounds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OverflowPolicy {
    /// That member does not get it. For what is soon out of date, such as positions.
    Drop,
    /// The connection of that member is closed with 1008, for it would miss the message. What was
    /// queued before is still sent, as far as the member reads it in time.
    Close,
}

/// For how many members a message was queued, and for how many it was not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Sent {
    /// Members that will get it.
    pub queued: usize,
    /// Members that will not: [`OverflowPolicy::Drop`].
    pub dropped: usize,
    /// Members whose connection is closed because of it: [`OverflowPolicy::Close`].
    pub closed: usize,
}

impl Group {
    /// A group without members.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a member, until the place that it gets is dropped.
    pub fn join(&self, sender: Sender) -> Member {
        let key = self.members().insert(sender);
        Member { group: self.clone(), key }
    }

    /// Queues a message for each member, without waiting for anybody. To wait for a member instead,
    /// use its own [`Sender::send`].
    pub fn send(&self, message: impl Into<Outgoing>, when_full: OverflowPolicy) -> Sent {
        let message = match message.into() {
            Outgoing::Message(message) => Prepared::new(message).into(),
            for_many => for_many,
        };
        let mut sent = Sent { queued: 0, dropped: 0, closed: 0 };
        for (_, member) in self.members().iter() {
            match (member.try_send(message.clone()), when_full) {
                (Ok(()), _) => sent.queued += 1,
                (Err(TrySendError::Full(_)), OverflowPolicy::Drop) => sent.dropped += 1,
                (Err(TrySendError::Full(_)), OverflowPolicy::Close) => {
                    member.close(Some(CloseFrame::code(CloseCode::POLICY_VIOLATION)));
                    sent.closed += 1;
                }
                // It is about to leave.
                (Err(TrySendError::Closed(_)), _) => {}
            }
        }
        sent
    }

    /// How many members there are.
    pub fn len(&self) -> usize {
        self.members().len()
    }

    /// Whether there are no members.
    pub fn is_empty(&self) -> bool {
        self.members().is_empty()
    }

    /// The lock is held while a message is queued for all, so that all get the messages in one order.
    fn members(&self) -> MutexGuard<'_, Slab<Sender>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        let sender = self.group.members().remove(self.key);
        // Messages may be dropped with it, which may be code of others: without the lock.
        drop(sender);
    }
}
