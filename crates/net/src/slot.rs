use std::ops::{Deref, DerefMut};
use std::sync::MutexGuard;
use std::task::Waker;

use bytes::BytesMut;
use fullduplex_proto::Dormant;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::alarm::Alarm;
use crate::driving::Driving;
use crate::link::Link;
use crate::mailbox::Inbox;
use crate::membership::Membership;

/// A link, or the little that is kept of one that waits: most do, most of the time.
#[derive(Debug)]
pub(crate) enum Slot<S> {
    Awake(Box<Link<S>>),
    Dozing(Dozing<S>),
    /// While one becomes the other.
    Between,
}

/// A link on which nothing is under way.
#[derive(Debug)]
pub(crate) struct Dozing<S> {
    pub(crate) stream: S,
    pub(crate) rest: Box<(Dormant, Membership)>,
    pub(crate) mailbox: Option<Inbox>,
    /// The task that drives it.
    pub(crate) driver: Waker,
}

/// The link, awake, under its lock.
pub(crate) struct AwakeLink<'a, S>(MutexGuard<'a, Slot<S>>);

impl<S: AsyncRead + AsyncWrite + Unpin> Slot<S> {
    fn wake(&mut self) {
        if let Self::Dozing(_) = self
            && let Self::Dozing(dozing) = std::mem::replace(self, Self::Between)
        {
            *self = Self::Awake(Box::new(dozing.wake()));
        }
    }

    /// Keeps less, if nothing is under way.
    fn doze(&mut self) {
        if let Self::Awake(_) = self
            && let Self::Awake(link) = std::mem::replace(self, Self::Between)
        {
            *self = link.doze();
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Dozing<S> {
    fn wake(self) -> Link<S> {
        let Self { stream, rest, mailbox, driver } = self;
        let (connection, member) = *rest;
        let alarm = Alarm::Server(member);
        let mut link = Link::new(stream, connection.wake(), BytesMut::new(), alarm);
        link.mailbox = mailbox;
        link.driving = Some(Driving::by(driver));
        link
    }
}

impl<'a, S: AsyncRead + AsyncWrite + Unpin> AwakeLink<'a, S> {
    pub(crate) fn new(mut slot: MutexGuard<'a, Slot<S>>) -> Self {
        slot.wake();
        Self(slot)
    }

    /// Lets the link doze from now on, if nothing is under way.
    pub(crate) fn doze(mut self) {
        self.0.doze();
    }
}

impl<S> Deref for AwakeLink<'_, S> {
    type Target = Link<S>;

    fn deref(&self) -> &Link<S> {
        match &*self.0 {
            Slot::Awake(link) => link,
            Slot::Dozing(_) | Slot::Between => unreachable!("it was woken"),
        }
    }
}

impl<S> DerefMut for AwakeLink<'_, S> {
    fn deref_mut(&mut self) -> &mut Link<S> {
        match &mut *self.0 {
            Slot::Awake(link) => link,
            Slot::Dozing(_) | Slot::Between => unreachable!("it was woken"),
        }
    }
}
