use std::fmt;

use bytes::Bytes;
use redis::{Cmd, ErrorKind, FromRedisValue, RedisError, ServerErrorKind};

use super::connection::Connection;
use super::keys::{Keys, id};
use super::refused;
use super::scripts::Scripts;
use crate::backend::Boxed;
use crate::broker::link::{Attempt, Channel, Inbox, Link, LinkError, Log};
use crate::broker::wire;
use crate::entry::{Content, Entry};
use crate::feed::{Fetched, GapReason};
use crate::ids::Ids;
use crate::position::Position;
use crate::presence::MemberInfo;

pub(super) struct RedisLink {
    connection: Connection,
    inbox: Inbox,
    keys: Keys,
    scripts: Scripts,
    /// Whether the server has sharded pub/sub.
    sharded: bool,
    /// For epochs and marks.
    ids: Ids,
}

impl fmt::Debug for RedisLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisLink").finish_non_exhaustive()
    }
}

impl RedisLink {
    pub(super) fn new(
        connection: Connection,
        inbox: Inbox,
        keys: Keys,
        scripts: Scripts,
        sharded: bool,
    ) -> Self {
        Self { connection, inbox, keys, scripts, sharded, ids: Ids::new() }
    }

    async fn query<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, LinkError> {
        self.connection.query(command).await.map_err(error)
    }

    fn script(&self, digest: &str, key: String) -> Cmd {
        let mut command = redis::cmd("EVALSHA");
        command.arg(digest).arg(1).arg(key);
        command
    }

    fn command(&self, sharded: &'static str, plain: &'static str) -> &'static str {
        if self.sharded { sharded } else { plain }
    }

    /// Returns a mark for the beginning of a log.
    fn mark(&self) -> Content {
        Content { id: self.ids.next(), except: 0, message: None }
    }

    async fn read(&self, log: &Log, after: Option<Position>) -> Result<Fetched, LinkError> {
        let mut command = self.script(&self.scripts.fetch, self.keys.log(&log.encoded));
        match after {
            Some(position) => command.arg(position.epoch()).arg(position.offset()),
            None => command.arg("").arg(""),
        };
        command.arg(log.history.age().as_millis() as u64).arg(log.history.size());
        command.arg(self.inbox.max_content);
        let values: Vec<Vec<u8>> = self.query(&command).await?;
        let mut values = values.into_iter();
        let Some(last) = values.next() else {
            let complete = if after.is_some() { Err(GapReason::Replaced) } else { Ok(()) };
            return Ok(Fetched { complete, entries: Vec::new(), end: self.end(log).await? });
        };
        let (epoch, offset) = id(&last).ok_or_else(foreign_entry)?;
        let mut entries = Vec::new();
        while let (Some(place), Some(bytes)) = (values.next(), values.next()) {
            let (epoch, offset) = id(&place).ok_or_else(foreign_entry)?;
            let content = self.inbox.entry_content(Bytes::from(bytes));
            let position = Position::new(epoch, offset, content.check());
            entries.push(Entry { position, previous: offset.saturating_sub(1), content });
        }
        Ok(check_complete(after, entries, epoch, offset))
    }
}

/// Checks whether the entries are complete after a position. They begin with the entry at the position, if it is still
/// kept.
fn check_complete(
    after: Option<Position>,
    mut entries: Vec<Entry>,
    epoch: u64,
    last: u64,
) -> Fetched {
    let check = entries.last().filter(|entry| entry.position.offset() == last);
    let end = Position::new(epoch, last, check.map_or(0, |entry| entry.content.check()));
    let Some(after) = after else { return Fetched { complete: Ok(()), entries, end } };
    if after.epoch() != epoch {
        return Fetched { complete: Err(GapReason::Replaced), entries, end };
    }
    let (replaced, trimmed) = (Err(GapReason::Replaced), Err(GapReason::Trimmed));
    let first = entries.first().map(|entry| entry.position);
    match first {
        _ if after.offset() > last => Fetched { complete: replaced, entries: Vec::new(), end },
        Some(first) if first == after => {
            entries.remove(0);
            Fetched { complete: Ok(()), entries, end }
        }
        Some(first) if first.offset() == after.offset() => {
            Fetched { complete: replaced, entries: Vec::new(), end }
        }
        None if after.offset() == last => Fetched { complete: Ok(()), entries, end: after },
        Some(first) if first.offset() == after.offset() + 1 => {
            Fetched { complete: Ok(()), entries, end }
        }
        Some(_) | None => Fetched { complete: trimmed, entries, end },
    }
}

impl Link for RedisLink {
    fn subscribe<'a>(&'a self, channel: &'a Channel) -> Boxed<'a, Result<(), LinkError>> {
        Box::pin(async move {
            let mut command = redis::cmd(self.command("SSUBSCRIBE", "SUBSCRIBE"));
            self.query(command.arg(self.keys.channel(channel))).await
        })
    }

    fn unsubscribe<'a>(&'a self, channel: &'a Channel) -> Boxed<'a, Result<(), LinkError>> {
        Box::pin(async move {
            let mut command = redis::cmd(self.command("SUNSUBSCRIBE", "UNSUBSCRIBE"));
            self.query(command.arg(self.keys.channel(channel))).await
        })
    }

    fn end<'a>(&'a self, log: &'a Log) -> Boxed<'a, Result<Position, LinkError>> {
        Box::pin(async move {
            let mut command = self.script(&self.scripts.end, self.keys.log(&log.encoded));
            command.arg(&wire::encode(&self.mark())[..]);
            command.arg(log.history.age().as_millis() as u64).arg(self.ids.next());
            command.arg(self.inbox.max_content);
            let (place, content): (Vec<u8>, Vec<u8>) = self.query(&command).await?;
            let (epoch, offset) = id(&place).ok_or_else(foreign_entry)?;
            let check = wire::decode(content.into()).map_or(0, |content| content.check());
            Ok(Position::new(epoch, offset, check))
        })
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
        attempt: Attempt,
    ) -> Boxed<'a, Result<Position, LinkError>> {
        Box::pin(async move {
            let mut command = self.script(&self.scripts.append, self.keys.log(&log.encoded));
            command.arg(self.keys.entries(&log.encoded)).arg(self.command("SPUBLISH", "PUBLISH"));
            command.arg(&wire::encode(content)[..]).arg(log.history.size());
            command.arg(log.history.age().as_millis() as u64).arg(self.ids.next());
            command.arg(u8::from(attempt == Attempt::Again));
            let place: Vec<u8> = self.query(&command).await?;
            let (epoch, offset) = id(&place).ok_or_else(foreign_entry)?;
            Ok(Position::new(epoch, offset, content.check()))
        })
    }

    fn send<'a>(
        &'a self,
        channel: &'a Channel,
        content: &'a Content,
    ) -> Boxed<'a, Result<(), LinkError>> {
        Box::pin(async move {
            let mut command = redis::cmd(self.command("SPUBLISH", "PUBLISH"));
            command.arg(self.keys.channel(channel)).arg(&wire::encode(content)[..]);
            self.query::<u64>(&command).await.map(drop)
        })
    }

    fn touch<'a>(&'a self, log: &'a Log, _end: Position) -> Boxed<'a, Result<(), LinkError>> {
        Box::pin(async move {
            let mut command = redis::cmd("PEXPIRE");
            command.arg(self.keys.log(&log.encoded)).arg(2 * log.history.age().as_millis() as u64);
            self.query::<u64>(&command).await.map(drop)
        })
    }

    fn ping(&self) -> Boxed<'_, Result<(), LinkError>> {
        Box::pin(async { self.query::<String>(&redis::cmd("PING")).await.map(drop) })
    }

    fn join<'a>(
        &'a self,
        channel: &'a Channel,
        member: u64,
        data: Bytes,
    ) -> Boxed<'a, Result<(), LinkError>> {
        Box::pin(async move {
            let mut command = self.script(&self.scripts.join, self.keys.members(&channel.encoded));
            command.arg(member).arg(self.keys.presence_ttl_ms).arg(&data[..]);
            self.query(&command).await
        })
    }

    fn leave<'a>(&'a self, channel: &'a Channel, member: u64) -> Boxed<'a, Result<(), LinkError>> {
        Box::pin(async move {
            let mut command = redis::cmd("HDEL");
            command.arg(self.keys.members(&channel.encoded)).arg(member);
            self.query::<u64>(&command).await.map(drop)
        })
    }

    fn members<'a>(
        &'a self,
        channel: &'a Channel,
    ) -> Boxed<'a, Result<Vec<MemberInfo>, LinkError>> {
        Box::pin(async move {
            let mut command =
                self.script(&self.scripts.members, self.keys.members(&channel.encoded));
            command.arg(self.inbox.max_content);
            let values: Vec<Vec<u8>> = self.query(&command).await?;
            let mut values = values.into_iter();
            let mut members = Vec::new();
            while let (Some(id), Some(data)) = (values.next(), values.next()) {
                match std::str::from_utf8(&id).ok().and_then(|id| id.parse().ok()) {
                    Some(id) => members.push(MemberInfo { id, data: data.into() }),
                    None => self.inbox.foreign("a member"),
                }
            }
            Ok(members)
        })
    }
}

/// Classifies an error: either the server rejected the request, or the connection is unusable.
fn error(error: RedisError) -> LinkError {
    match error.kind() {
        // The server restarts or is being replaced, or the slot has moved. The next connection reaches a working one.
        ErrorKind::Server(
            ServerErrorKind::Ask
            | ServerErrorKind::BusyLoading
            | ServerErrorKind::ClusterDown
            | ServerErrorKind::Moved
            | ServerErrorKind::NoScript
            | ServerErrorKind::MasterDown
            | ServerErrorKind::ReadOnly
            | ServerErrorKind::TryAgain,
        ) => LinkError::Lost(error.to_string()),
        // A reply of an unexpected type comes from a key that another program has written.
        ErrorKind::Server(_) | ErrorKind::Extension | ErrorKind::UnexpectedReturnType => {
            refused(error)
        }
        _ => LinkError::Lost(error.to_string()),
    }
}

/// Returns the error for the id of an entry that no script writes.
fn foreign_entry() -> LinkError {
    LinkError::Refused(
        "the log of the topic contains ids that no hub has written; delete its key".into(),
    )
}
