use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_nats::connection::State;
use async_nats::jetstream::consumer::DeliverPolicy;
use async_nats::{Client, HeaderMap, PublishErrorKind, Subscriber};
use bytes::Bytes;
use futures_util::StreamExt as _;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::denials::Denials;
use super::names::Names;
use super::streams::{Message, Stored, Streams};
use crate::backend::Boxed;
use crate::broker::link::{Attempt, Channel, Inbox, Link, LinkError, Log};
use crate::broker::wire;
use crate::entry::{Content, Entry};
use crate::feed::{Fetched, GapReason};
use crate::ids::Ids;
use crate::position::Position;
use crate::presence::MemberInfo;

/// The header by which a stream detects a message that it has already stored.
const ID: &str = "Nats-Msg-Id";
/// The header with the sequence of the last message. The stream stores a message only if this sequence matches.
const EXPECTED_LAST: &str = "Nats-Expected-Last-Subject-Sequence";
/// The headers that a stream adds when it republishes a message.
const SEQUENCE: &str = "Nats-Sequence";
const LAST_SEQUENCE: &str = "Nats-Last-Sequence";

/// The maximum number of subjects that are remembered.
const MAX_ALLOWED: usize = 1024;

pub(super) struct NatsLink {
    client: Client,
    names: Names,
    streams: Streams,
    denials: Denials,
    /// Subjects to which the user may publish.
    allowed: Mutex<HashSet<String>>,
    inbox: Inbox,
    /// The tasks that receive messages, by subject.
    receiving: Mutex<HashMap<String, Receiving>>,
    echoes: Echoes,
    /// For marks and echoes.
    ids: Ids,
}

/// A task that receives messages. It ends when this value is dropped.
struct Receiving(JoinHandle<()>);

/// Messages from this connection to itself. The server handles the messages of a connection in order. When such a
/// message arrives here, the server has handled all earlier messages of the connection.
struct Echoes {
    subject: String,
    next: AtomicU64,
    awaited: Arc<Mutex<HashMap<u64, oneshot::Sender<()>>>>,
    _receiving: Receiving,
}

impl fmt::Debug for NatsLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NatsLink").finish_non_exhaustive()
    }
}

impl Drop for Receiving {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl NatsLink {
    pub(super) async fn start(
        client: Client,
        names: Names,
        streams: Streams,
        inbox: Inbox,
        denials: Denials,
    ) -> Result<Self, LinkError> {
        let ids = Ids::new();
        let subject = names.echo(ids.next());
        let echoes = Echoes::start(&client, subject).await?;
        let (allowed, receiving) = (Mutex::default(), Mutex::default());
        let link = Self { client, names, streams, denials, allowed, inbox, receiving, echoes, ids };
        link.denials.check(&link.echoes.subject, link.echo()).await?;
        Ok(link)
    }

    fn subject(&self, channel: &Channel) -> String {
        match channel.history {
            Some(history) => self.names.entries(history, &channel.encoded),
            None => self.names.live(&channel.encoded),
        }
    }

    /// Fails if there is no connection. Otherwise the client would keep the message and send it later.
    fn check_connected(&self) -> Result<(), LinkError> {
        if self.client.connection_state() == State::Connected {
            Ok(())
        } else {
            Err(LinkError::NotSent)
        }
    }

    async fn send_to(&self, subject: String, payload: Bytes) -> Result<(), LinkError> {
        self.check_connected()?;
        self.client.publish(subject, payload).await.map_err(|error| match error.kind() {
            PublishErrorKind::Send => LinkError::NotSent,
            _ => LinkError::Refused(error.to_string()),
        })
    }

    /// Waits until the server has handled all messages that were sent before.
    async fn echo(&self) -> Result<(), LinkError> {
        let (number, echo) = self.echoes.await_next();
        let payload = Bytes::copy_from_slice(&number.to_be_bytes());
        self.send_to(self.echoes.subject.clone(), payload).await?;
        echo.await.map_err(|_| LinkError::Lost("the connection was closed".into()))
    }

    async fn log(&self, log: &Log) -> Result<Stored, LinkError> {
        self.check_connected()?;
        self.streams.log(log.history).await
    }

    /// Stores a mark, if the last message of the topic is still `last`.
    async fn mark(&self, log: &Log, last: u64) -> Result<Position, LinkError> {
        let stored = self.log(log).await?;
        let mark = Content { id: self.ids.next(), except: 0, message: None };
        let mut headers = HeaderMap::new();
        headers.insert(EXPECTED_LAST, last.to_string());
        let subject = self.names.log(log.history, &log.encoded);
        let offset = self.streams.publish(subject, headers, wire::encode(&mark)).await?;
        Ok(Position::new(stored.epoch, offset, mark.check()))
    }

    /// Returns the last message of a topic, or `None` if none is kept.
    async fn last(&self, log: &Log, stored: &Stored) -> Result<Option<Position>, LinkError> {
        use async_nats::jetstream::stream::LastRawMessageErrorKind as Kind;
        let subject = self.names.log(log.history, &log.encoded);
        let reading = async { Ok(stored.stream.get_last_raw_message_by_subject(&subject).await) };
        match self.denials.check(&self.names.log_stream(log.history), reading).await? {
            Ok(message) => {
                let content = self.inbox.entry_content(message.payload);
                Ok(Some(Position::new(stored.epoch, message.sequence, content.check())))
            }
            Err(error) if error.kind() == Kind::NoMessageFound => Ok(None),
            Err(error) => Err(LinkError::Lost(error.to_string())),
        }
    }

    async fn end_of(&self, log: &Log) -> Result<Position, LinkError> {
        let stored = self.log(log).await?;
        if let Some(end) = self.last(log, &stored).await? {
            return Ok(end);
        }
        match self.mark(log, 0).await {
            Ok(end) => Ok(end),
            // Another node has stored its mark first.
            Err(LinkError::Refused(reason)) => {
                self.last(log, &stored).await?.ok_or(LinkError::Refused(reason))
            }
            Err(error) => Err(error),
        }
    }

    /// Converts messages into entries. The message before the first one is unknown and may belong to another topic.
    fn entries(&self, messages: Vec<Message>, epoch: u64) -> Vec<Entry> {
        let mut previous = messages.first().map_or(0, |first| first.sequence.saturating_sub(1));
        let entries = messages.into_iter().map(|message| {
            let content = self.inbox.entry_content(message.payload);
            let position = Position::new(epoch, message.sequence, content.check());
            let entry = Entry { position, previous, content };
            previous = message.sequence;
            entry
        });
        entries.collect()
    }

    async fn read(&self, log: &Log, after: Option<Position>) -> Result<Fetched, LinkError> {
        let stored = self.log(log).await?;
        let after_here = after.filter(|position| position.epoch() == stored.epoch);
        let subject = self.names.log(log.history, &log.encoded);
        let policy = match after_here {
            Some(position) => DeliverPolicy::ByStartSequence { start_sequence: position.offset() },
            None => DeliverPolicy::All,
        };
        let messages = self.streams.read(&stored, subject, policy).await?;
        let entries = self.entries(messages, stored.epoch);
        match entries.last().map(|entry| entry.position) {
            Some(end) => Ok(check_complete(after, after_here, entries, end)),
            None => {
                // The stream keeps no message from the position on.
                let end = self.end_of(log).await?;
                let behind = after_here.is_some_and(|position| position.offset() < end.offset());
                let complete = match after {
                    None => Ok(()),
                    Some(_) if behind => Err(GapReason::Trimmed),
                    Some(_) => Err(GapReason::Replaced),
                };
                Ok(Fetched { complete, entries, end })
            }
        }
    }
}

/// Checks whether the entries are complete after a position. They begin with the entry at the position, if it is still
/// kept.
fn check_complete(
    after: Option<Position>,
    after_here: Option<Position>,
    mut entries: Vec<Entry>,
    end: Position,
) -> Fetched {
    let first = entries.first().map(|entry| entry.position);
    let complete = match (after, after_here) {
        (None, _) => Ok(()),
        (Some(_), None) => Err(GapReason::Replaced),
        (Some(_), Some(position)) if first == Some(position) => {
            entries.remove(0);
            Ok(())
        }
        (Some(_), Some(position)) if first.is_some_and(|it| it.offset() == position.offset()) => {
            entries.clear();
            Err(GapReason::Replaced)
        }
        (Some(_), Some(_)) => Err(GapReason::Trimmed),
    };
    Fetched { complete, entries, end }
}

impl Link for NatsLink {
    fn subscribe<'a>(&'a self, channel: &'a Channel) -> Boxed<'a, Result<(), LinkError>> {
        Box::pin(async move {
            let subject = self.subject(channel);
            self.check_connected()?;
            let epoch = match channel.log() {
                Some(log) => Some(self.log(&log).await?.epoch),
                None => None,
            };
            let subscribing = async {
                let subscriber = self.client.subscribe(subject.clone()).await;
                let subscriber = subscriber.map_err(|error| LinkError::Lost(error.to_string()))?;
                let (inbox, topic) = (self.inbox.clone(), channel.encoded.clone());
                let receiving = Receiving(tokio::spawn(receive(subscriber, inbox, topic, epoch)));
                self.receiving().insert(subject.clone(), receiving);
                self.echo().await?;
                self.echo().await // see `send`
            };
            self.denials.check(&subject, subscribing).await
        })
    }

    fn unsubscribe<'a>(&'a self, channel: &'a Channel) -> Boxed<'a, Result<(), LinkError>> {
        let removed = self.receiving().remove(&self.subject(channel));
        drop(removed);
        Box::pin(std::future::ready(Ok(())))
    }

    fn end<'a>(&'a self, log: &'a Log) -> Boxed<'a, Result<Position, LinkError>> {
        Box::pin(self.end_of(log))
    }

    fn fetch<'a>(
        &'a self,
        log: &'a Log,
        after: Option<Position>,
    ) -> Boxed<'a, Result<Fetched, LinkError>> {
        Box::pin(self.read(log, after))
    }

    fn append<'a>(
        &'a self,
        log: &'a Log,
        content: &'a Content,
        _attempt: Attempt,
    ) -> Boxed<'a, Result<Position, LinkError>> {
        Box::pin(async move {
            let stored = self.log(log).await?;
            let mut headers = HeaderMap::new();
            headers.insert(ID, format!("{:016x}", content.id));
            let subject = self.names.log(log.history, &log.encoded);
            let offset = self.streams.publish(subject, headers, wire::encode(content)).await?;
            Ok(Position::new(stored.epoch, offset, content.check()))
        })
    }

    fn send<'a>(
        &'a self,
        channel: &'a Channel,
        content: &'a Content,
    ) -> Boxed<'a, Result<(), LinkError>> {
        Box::pin(async move {
            let subject = self.subject(channel);
            let sending = async {
                self.send_to(subject.clone(), wire::encode(content)).await?;
                self.echo().await.map_err(|error| match error {
                    LinkError::NotSent => LinkError::Lost("the connection was closed".into()),
                    error => error,
                })?;
                // A denial arrives before the echo, but another task records it. A second echo gives it time. Only the
                // first message to a subject needs it.
                if !self.allowed().contains(&subject) {
                    self.echo().await.ok();
                }
                Ok(())
            };
            self.denials.check(&subject, sending).await?;
            let mut allowed = self.allowed();
            if allowed.len() >= MAX_ALLOWED && !allowed.contains(&subject) {
                allowed.clear();
            }
            allowed.insert(subject);
            Ok(())
        })
    }

    fn touch<'a>(&'a self, log: &'a Log, end: Position) -> Boxed<'a, Result<(), LinkError>> {
        Box::pin(async move {
            match self.mark(log, end.offset()).await {
                Err(LinkError::Refused(_)) | Ok(_) => Ok(()), // refused: a newer message exists
                Err(error) => Err(error),
            }
        })
    }

    fn ping(&self) -> Boxed<'_, Result<(), LinkError>> {
        // The waiting tasks may have been cancelled.
        lock(&self.echoes.awaited).retain(|_, waiting| !waiting.is_closed());
        Box::pin(async {
            self.echo().await?;
            self.streams.check().await
        })
    }

    fn join<'a>(
        &'a self,
        channel: &'a Channel,
        member: u64,
        data: Bytes,
    ) -> Boxed<'a, Result<(), LinkError>> {
        Box::pin(async move {
            self.check_connected()?;
            self.streams.members().await?;
            let subject = self.names.member(&channel.encoded, &format!("{member:016x}"));
            self.streams.publish(subject, HeaderMap::new(), data).await.map(drop)
        })
    }

    fn leave<'a>(&'a self, channel: &'a Channel, member: u64) -> Boxed<'a, Result<(), LinkError>> {
        Box::pin(async move {
            self.check_connected()?;
            let stored = self.streams.members().await?;
            let subject = self.names.member(&channel.encoded, &format!("{member:016x}"));
            let purged = stored.stream.purge().filter(subject).await;
            purged.map(drop).map_err(|error| LinkError::Lost(error.to_string()))
        })
    }

    fn members<'a>(
        &'a self,
        channel: &'a Channel,
    ) -> Boxed<'a, Result<Vec<MemberInfo>, LinkError>> {
        Box::pin(async move {
            self.check_connected()?;
            let stored = self.streams.members().await?;
            let subject = self.names.member(&channel.encoded, "*");
            let policy = DeliverPolicy::LastPerSubject;
            let messages = self.streams.read(&stored, subject, policy).await?;
            let mut members = Vec::new();
            for message in messages {
                let id =
                    message.subject.rsplit_once('.').map(|(_, id)| u64::from_str_radix(id, 16));
                match id {
                    Some(Ok(id)) => members.push(MemberInfo { id, data: message.payload }),
                    _ => self.inbox.foreign("a member"),
                }
            }
            Ok(members)
        })
    }
}

impl NatsLink {
    fn receiving(&self) -> MutexGuard<'_, HashMap<String, Receiving>> {
        lock(&self.receiving)
    }

    fn allowed(&self) -> MutexGuard<'_, HashSet<String>> {
        lock(&self.allowed)
    }
}

impl Echoes {
    async fn start(client: &Client, subject: String) -> Result<Self, LinkError> {
        let subscriber = client.subscribe(subject.clone()).await;
        let mut subscriber = subscriber.map_err(|error| LinkError::Lost(error.to_string()))?;
        let awaited: Arc<Mutex<HashMap<u64, oneshot::Sender<()>>>> = Arc::default();
        let answered = Arc::clone(&awaited);
        let receiving = async move {
            while let Some(message) = subscriber.next().await {
                let number = message.payload[..].try_into().map(u64::from_be_bytes);
                let waiting = number.ok().and_then(|number| lock(&answered).remove(&number));
                waiting.map(|waiting| waiting.send(()));
            }
            lock(&answered).clear();
        };
        let receiving = Receiving(tokio::spawn(receiving));
        Ok(Self { subject, next: AtomicU64::new(0), awaited, _receiving: receiving })
    }

    fn await_next(&self) -> (u64, oneshot::Receiver<()>) {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let (sender, receiver) = oneshot::channel();
        lock(&self.awaited).insert(number, sender);
        (number, receiver)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Passes on the messages that arrive on a subject.
async fn receive(mut subscriber: Subscriber, inbox: Inbox, topic: String, epoch: Option<u64>) {
    while let Some(message) = subscriber.next().await {
        let Some(epoch) = epoch else {
            inbox.content(&topic, message.payload);
            continue;
        };
        let number = |name| {
            let headers = message.headers.as_ref()?;
            headers.get(name)?.as_str().parse::<u64>().ok()
        };
        match (number(SEQUENCE), number(LAST_SEQUENCE)) {
            (Some(offset), Some(previous)) => {
                inbox.entry(&topic, epoch, offset, previous, message.payload.clone());
            }
            _ => inbox.foreign("an entry of a log"),
        }
    }
}
