use std::cell::Cell;
use std::io;
use std::sync::Arc;

use bytes::BytesMut;
use fullduplex_proto::{Closed, Connection, ConnectionError, Parked, SendBuffer};

use crate::pool::delta::CounterDelta;
use crate::pool::guard::ConnectionGuard;
use crate::socket::cork::Cork;
use crate::socket::owner::Owner;
use crate::socket::read_buffer::Input;
use crate::socket::spare::{put, take};

thread_local! {
    /// The memory of a core that was parked. The next core that this thread unparks reuses it.
    static SPARE: Cell<Option<Box<ActiveCore>>> = const { Cell::new(None) };

    /// A send buffer that no connection of this thread uses at the moment.
    static BUFFER: Cell<Option<SendBuffer>> = const { Cell::new(None) };
}

/// The connection of a link, and the server that it belongs to.
#[derive(Debug)]
pub(crate) struct Core {
    state: State,
    pub(crate) owner: Owner,
}

/// The state of a connection. Most connections are idle most of the time. An idle connection is parked, to
/// save memory.
#[derive(Debug)]
enum State {
    Active(Box<ActiveCore>),
    Parked(Parked),
    /// The connection has ended, and all received messages were delivered.
    Ended(Box<Ended>),
    /// A placeholder within a function that changes the state.
    Moved,
}

/// A connection, and the state of reading and writing.
#[derive(Debug)]
pub(crate) struct ActiveCore {
    pub(crate) connection: Connection,
    /// Bytes that were read and not yet parsed. While the link waits, they are at most an incomplete frame.
    pub(crate) input: Input,
    /// The number of bytes that were read since the timeouts were last checked, or since the transport last
    /// had no more bytes.
    pub(crate) read_since: usize,
    /// Whether the transport has to be flushed.
    pub(crate) flush: Flush,
    /// The first error of the transport.
    pub(crate) broken: Option<io::Error>,
    pub(crate) delta: CounterDelta,
    /// Messages that the application has sent since the link was last locked. Set while the application takes
    /// the messages of a batch.
    pub(super) cork: Option<Arc<Cork>>,
}

/// The remaining state of a connection that has ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) closed: Closed,
    /// The first error of the transport.
    pub(crate) broken: Option<io::Error>,
    pub(crate) queued_bytes: u64,
    /// Whether the application's stream has ended.
    stream_has_ended: bool,
}

/// How far the transport has been flushed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flush {
    Due,
    Done,
    /// The transport was shut down for writing, after everything was written.
    ShutDown,
    /// Writing has failed.
    Broken,
}

impl Core {
    pub(crate) fn new(connection: Connection, input: BytesMut, owner: Owner) -> Self {
        let active = ActiveCore::new(connection, Input::new(input));
        let state = State::Active(match take(&SPARE) {
            Some(mut spare) => {
                *spare = active;
                spare
            }
            None => Box::new(active),
        });
        Self { state, owner }
    }

    /// Returns the active core, unparking it if necessary; `None` if the connection has ended.
    #[inline]
    pub(crate) fn active(&mut self) -> Option<&mut ActiveCore> {
        if let State::Parked(_) = self.state {
            self.unpark();
        }
        match &mut self.state {
            State::Active(active) => Some(active),
            _ => None,
        }
    }

    /// Returns the active core, if the connection is not parked and has not ended.
    #[inline]
    pub(crate) fn unparked(&mut self) -> Option<&mut ActiveCore> {
        match &mut self.state {
            State::Active(active) => Some(active),
            _ => None,
        }
    }

    /// Returns the active core like [`Core::active`], if the connection belongs to a server.
    pub(crate) fn active_of_server(&mut self) -> Option<(&mut ActiveCore, &mut ConnectionGuard)> {
        match (&mut self.state, &mut self.owner) {
            (State::Active(active), Owner::Server(guard)) => Some((active, guard)),
            _ => None,
        }
    }

    /// Requests the memory of a compression context from the server, if a message needs one (FS-07).
    #[inline]
    pub(crate) fn ask_for_context(&mut self, needed: impl FnOnce(&Connection) -> usize) {
        if let State::Active(active) = &mut self.state {
            let needed = needed(&active.connection);
            if needed > 0
                && let Owner::Server(guard) = &mut self.owner
            {
                let has_memory = guard.try_hold_more(needed);
                active.connection.allow_context(has_memory);
                if !has_memory {
                    guard.pool().counters.count_uncompressed();
                }
            }
        }
    }

    #[cold]
    fn unpark(&mut self) {
        if let State::Parked(parked) = std::mem::replace(&mut self.state, State::Moved) {
            self.state = State::Active(match take(&SPARE) {
                Some(mut spare) => {
                    parked.unpark_into(&mut spare.connection);
                    spare
                }
                None => Box::new(ActiveCore::new(parked.unpark(), Input::default())),
            });
        }
    }

    /// Parks the core, if it has no work.
    pub(crate) fn park(&mut self) {
        if let State::Active(active) = &self.state
            && active.is_at_rest()
            && let Some(parked) = active.connection.park()
            && let State::Active(spare) = std::mem::replace(&mut self.state, State::Parked(parked))
        {
            put(&SPARE, spare);
        }
    }

    /// Ends the core like [`Core::end`], but drops the bytes that were read and not parsed.
    pub(crate) fn discard_input(&mut self) {
        if let Some(active) = self.active() {
            active.input.clear();
        }
        self.end();
    }

    /// Frees the memory of a connection that has ended, if everything that was read is parsed.
    pub(crate) fn end(&mut self) {
        if let State::Active(active) = &mut self.state
            && let Some(closed) = active.connection.closed()
            && active.input.is_empty()
        {
            let closed = closed.clone();
            let queued_bytes = active.connection.queued_bytes();
            let broken = active.broken.take();
            self.state = State::Ended(Box::new(Ended {
                closed,
                broken,
                queued_bytes,
                stream_has_ended: false,
            }));
        }
    }

    /// Marks the end of the application's stream. Returns false if that was done before.
    pub(crate) fn end_stream(&mut self) -> bool {
        match &mut self.state {
            State::Ended(ended) => !std::mem::replace(&mut ended.stream_has_ended, true),
            _ => true,
        }
    }

    /// Returns how the connection ended, if it has ended.
    #[inline]
    pub(crate) fn closed(&self) -> Option<&Closed> {
        match &self.state {
            State::Active(active) => active.connection.closed(),
            State::Ended(ended) => Some(&ended.closed),
            State::Parked(_) | State::Moved => None,
        }
    }

    /// Returns the bytes that were queued and not taken by the transport.
    pub(crate) fn queued_bytes(&self) -> u64 {
        match &self.state {
            State::Active(active) => active.connection.queued_bytes(),
            State::Ended(ended) => ended.queued_bytes,
            State::Parked(_) | State::Moved => 0,
        }
    }

    /// Returns the first error of the transport.
    pub(crate) fn broken(&self) -> Option<io::Error> {
        match &self.state {
            State::Active(active) => active.broken.as_ref().map(copy),
            State::Ended(ended) => ended.broken.as_ref().map(copy),
            State::Parked(_) | State::Moved => None,
        }
    }

    /// Returns why the connection failed, if it has failed.
    pub(crate) fn failure(&self) -> Option<ConnectionError> {
        match &self.state {
            State::Active(active) => active.connection.failure(),
            State::Ended(ended) => ended.closed.failure(),
            State::Parked(_) | State::Moved => None,
        }
    }

    /// Adds the counts since the last call to those of the server.
    pub(crate) fn report(&mut self) {
        if let State::Active(active) = &mut self.state {
            let delta = std::mem::take(&mut active.delta);
            if let Owner::Server(guard) = &self.owner {
                guard.pool().counters.add(&delta);
            }
        }
    }
}

impl ActiveCore {
    fn new(connection: Connection, input: Input) -> Self {
        Self {
            connection,
            input,
            read_since: 0,
            flush: Flush::Done,
            broken: None,
            delta: CounterDelta::default(),
            cork: None,
        }
    }

    /// Returns whether the bytes that were read may contain an event, or the end of one.
    #[inline]
    pub(crate) fn may_hold_event(&self) -> bool {
        !self.input.is_empty() || !self.connection.is_between_messages()
    }

    /// Queues the corked messages, and closes the cork. Returns whether there were messages.
    pub(super) fn uncork(&mut self) -> bool {
        let Some(cork) = &self.cork else { return false };
        cork.close();
        if cork.is_empty() {
            return false;
        }
        let cork = Arc::clone(cork);
        self.lend_buffer();
        cork.take_messages(|kind, payload| {
            let sent = self.connection.send_slice(kind, payload);
            debug_assert_eq!(sent, Ok(()), "a cork is open only while messages are accepted");
            self.delta.count_sent();
        });
        true
    }

    /// Releases the buffers that an idle connection does not need.
    pub(crate) fn settle(&mut self) {
        self.input.settle();
        if let Some(buffer) = self.connection.take_buffer() {
            put(&BUFFER, buffer);
        }
    }

    /// Gives the connection this thread's send buffer, unless it has one.
    #[inline]
    pub(crate) fn lend_buffer(&mut self) {
        if !self.connection.has_buffer()
            && let Some(buffer) = take(&BUFFER)
        {
            self.connection.lend_buffer(buffer);
        }
    }

    /// Records an error of the transport, unless there was one before.
    pub(crate) fn record_error(&mut self, error: &io::Error) {
        if self.broken.is_none() {
            self.broken = Some(copy(error));
        }
    }

    /// Returns whether everything but the connection is in its initial state.
    fn is_at_rest(&self) -> bool {
        self.input.is_empty()
            && self.read_since == 0
            && self.flush == Flush::Done
            && self.broken.is_none()
            && self.delta.is_empty()
            && self.cork.is_none()
    }
}

/// Copies an I/O error, as far as that is possible.
pub(crate) fn copy(error: &io::Error) -> io::Error {
    match error.raw_os_error() {
        Some(code) => io::Error::from_raw_os_error(code),
        None => io::Error::new(error.kind(), error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use fullduplex_proto::Limits;

    use super::*;

    /// Fault FT-40: an idle connection needs one of these in addition to its link.
    #[test]
    fn a_parked_core_is_small() {
        assert!(size_of::<Core>() <= 104);
    }

    #[test]
    fn a_core_with_work_is_not_at_rest() {
        let at_rest = || {
            let connection = Connection::server(Limits::default(), Duration::ZERO);
            ActiveCore::new(connection, Input::default())
        };
        assert!(at_rest().is_at_rest());
        let changes: [fn(&mut ActiveCore); _] = [
            |core| core.input.bytes().extend_from_slice(b"x"),
            |core| core.read_since = 1,
            |core| core.flush = Flush::Due,
            |core| core.broken = Some(io::ErrorKind::Other.into()),
            |core| core.delta.count_read(1),
            |core| core.cork = Some(Cork::new()),
        ];
        for (number, change) in changes.into_iter().enumerate() {
            let mut core = at_rest();
            change(&mut core);
            assert!(!core.is_at_rest(), "change {number}");
        }
    }
}
