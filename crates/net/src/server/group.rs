use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use fullduplex_proto::{CloseCode, CloseFrame, Outgoing, Prepared};
use slab::Slab;

use crate::socket::sender::{Sender, TrySendError};

/// Sends messages to many connections at once. Cloning is cheap; all clones refer to the same group.
///
/// A message is not copied, and is compressed once for all members with the same window size. All members receive the
/// messages of a group in the same order. [`OverflowPolicy`] decides what happens if the queue of a member is full. No
/// member delays the others.
///
/// # Example
///
/// ```
/// use fullduplex_net::{Group, HandlerResult, OverflowPolicy, Request, Server, ServerOptions};
///
/// async fn chat(request: Request, room: Group) -> HandlerResult {
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

/// A membership in a [`Group`], until it is dropped.
#[derive(Debug)]
#[must_use = "dropping it leaves the group"]
pub struct Member {
    group: Group,
    key: usize,
}

/// What happens to a message for a member whose queue is full; see [`Sender::with_capacity`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OverflowPolicy {
    /// The member misses the message. Use it for messages that are soon out of date, such as positions.
    Drop,
    /// The connection of the member is closed with 1008, because it would miss the message. Messages that are already
    /// queued are sent, if the member reads them within the close timeout.
    Close,
}

/// The result of [`Group::send`] and [`Member::send_to_others`], as numbers of members.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Sent {
    /// Members for which the message was queued.
    pub queued: usize,
    /// Members that miss the message because of [`OverflowPolicy::Drop`].
    pub dropped: usize,
    /// Members whose connection is closed because of [`OverflowPolicy::Close`].
    pub closed: usize,
}

impl Group {
    /// Makes a group without members.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a member, until the returned [`Member`] is dropped.
    pub fn join(&self, sender: Sender) -> Member {
        let key = self.members().insert(sender);
        Member { group: self.clone(), key }
    }

    /// Queues a message for each member, without waiting. To wait for a member, use its own [`Sender::send`].
    pub fn send(&self, message: impl Into<Outgoing>, when_full: OverflowPolicy) -> Sent {
        self.send_except(None, message.into(), when_full)
    }

    /// Does the same as [`Group::send`], but skips the member with the key `except`.
    fn send_except(
        &self,
        except: Option<usize>,
        message: Outgoing,
        when_full: OverflowPolicy,
    ) -> Sent {
        let message = match message {
            Outgoing::Message(message) => Prepared::new(message).into(),
            prepared => prepared,
        };
        let mut sent = Sent { queued: 0, dropped: 0, closed: 0 };
        // A waker is foreign code, which may use the group. So the wakers are called after the lock is
        // released.
        let mut wakers = Vec::new();
        let mut overfull = Vec::new();
        {
            let members = self.members();
            wakers.reserve(members.len());
            for (_, member) in members.iter().filter(|(key, _)| Some(*key) != except) {
                let (pushed, waker) = member.push(message.clone());
                wakers.extend(waker);
                match (pushed, when_full) {
                    (Ok(()), _) => sent.queued += 1,
                    (Err(TrySendError::Full(_)), OverflowPolicy::Drop) => sent.dropped += 1,
                    (Err(TrySendError::Full(_)), OverflowPolicy::Close) => {
                        overfull.push(member.clone());
                        sent.closed += 1;
                    }
                    // The member is about to leave.
                    (Err(TrySendError::Closed(_)), _) => {}
                }
            }
        }
        wakers.into_iter().for_each(Waker::wake);
        for member in overfull {
            member.close(Some(CloseFrame::code(CloseCode::POLICY_VIOLATION)));
        }
        sent
    }

    /// Returns the number of members.
    pub fn len(&self) -> usize {
        self.members().len()
    }

    /// Returns whether there are no members.
    pub fn is_empty(&self) -> bool {
        self.members().is_empty()
    }

    /// Locks the members. The lock is held while a message is queued for all members, so that all receive messages in
    /// the same order. No foreign code runs under the lock.
    fn members(&self) -> MutexGuard<'_, Slab<Sender>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Member {
    /// Queues a message for all members of the group except this one, without waiting; see [`Group::send`].
    pub fn send_to_others(&self, message: impl Into<Outgoing>, when_full: OverflowPolicy) -> Sent {
        self.group.send_except(Some(self.key), message.into(), when_full)
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        let sender = self.group.members().remove(self.key);
        // Dropping the last sender drops its messages. That may run foreign code, so the lock is not held
        // here.
        drop(sender);
    }
}
