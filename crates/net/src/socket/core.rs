use std::cell::Cell;
use std::io;
use std::thread::LocalKey;

use bytes::BytesMut;
use fullduplex_proto::{Connection, Parked, SendBuffer};

use crate::socket::delta::CounterDelta;
use crate::socket::link::{Flush, copy};
use crate::socket::read_buffer::Input;

thread_local! {
    /// The memory of one link that went to sleep, for the next one of the thread that wakes up.
    static SPARE: Cell<Option<Box<ActiveCore>>> = const { Cell::new(None) };

    /// Room for what one link sends, while none of the thread has anything to send.
    static BUFFER: Cell<Option<SendBuffer>> = const { Cell::new(None) };
}

/// What a link knows of its connection, or the little that is kept of it while nothing is under way:
/// most links wait, most of the time.
#[derive(Debug)]
pub(crate) enum Core {
    Active(Box<ActiveCore>),
    Parked(Parked),
    /// While one becomes the other.
    Between,
}

/// A connection, and what is needed to move its bytes.
#[derive(Debug)]
pub(crate) struct ActiveCore {
    pub(crate) connection: Connection,
    /// Read and not yet understood. A link that waits keeps no more than an incomplete frame.
    pub(crate) input: Input,
    /// How many bytes were read since the time was told, or since the transport was dry.
    pub(crate) read_since: usize,
    /// What was written into the transport may still be held by it.
    pub(crate) flush: Flush,
    /// The first error of the transport.
    pub(crate) broken: Option<io::Error>,
    pub(crate) delta: CounterDelta,
}

impl Core {
    pub(crate) fn new(connection: Connection, input: BytesMut) -> Self {
        let active = ActiveCore::new(connection, Input::new(input));
        Self::Active(match take(&SPARE) {
            Some(mut spare) => {
                *spare = active;
                spare
            }
            None => Box::new(active),
        })
    }

    /// The connection, active.
    #[inline]
    pub(crate) fn active(&mut self) -> &mut ActiveCore {
        if let Self::Parked(_) = self {
            self.wake();
        }
        match self {
            Self::Active(active) => active,
            Self::Parked(_) | Self::Between => unreachable!("it was woken"),
        }
    }

    #[cold]
    fn wake(&mut self) {
        if let Self::Parked(parked) = std::mem::replace(self, Self::Between) {
            *self = Self::Active(match take(&SPARE) {
                Some(mut spare) => {
                    parked.unpark_into(&mut spare.connection);
                    spare
                }
                None => Box::new(ActiveCore::new(parked.unpark(), Input::default())),
            });
        }
    }

    /// Keeps less from now on, if nothing is under way.
    pub(crate) fn park(&mut self) {
        if let Self::Active(active) = self
            && active.is_at_rest()
            && let Some(parked) = active.connection.park()
            && let Self::Active(spare) = std::mem::replace(self, Self::Parked(parked))
        {
            put(&SPARE, spare);
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
        }
    }

    /// Whether what was read may be the rest of an event.
    #[inline]
    pub(crate) fn may_hold_event(&self) -> bool {
        !self.input.is_empty() || !self.connection.is_between_messages()
    }

    /// Gives back what is not needed while nothing arrives, and nothing waits to be sent.
    pub(crate) fn settle(&mut self) {
        self.input.settle();
        if let Some(buffer) = self.connection.take_buffer() {
            put(&BUFFER, buffer);
        }
    }

    /// Has room at hand for what will be sent now.
    #[inline]
    pub(crate) fn lend_buffer(&mut self) {
        if !self.connection.has_buffer()
            && let Some(buffer) = take(&BUFFER)
        {
            self.connection.lend_buffer(buffer);
        }
    }

    /// Takes note of an error of the transport; the first one counts.
    pub(crate) fn note_broken(&mut self, error: &io::Error) {
        if self.broken.is_none() {
            self.broken = Some(copy(error));
        }
    }

    /// Whether it differs from a new one by its connection only.
    fn is_at_rest(&self) -> bool {
        self.input.is_empty()
            && self.read_since == 0
            && self.flush == Flush::Done
            && self.broken.is_none()
            && self.delta.is_empty()
    }
}

type Spare<T> = LocalKey<Cell<Option<T>>>;

/// What the thread has kept. One that ends has nothing, and may still drop a runtime and its tasks.
fn take<T>(spare: &'static Spare<T>) -> Option<T> {
    spare.try_with(Cell::take).ok().flatten()
}

fn put<T>(spare: &'static Spare<T>, kept: T) {
    let _ = spare.try_with(|spare| spare.set(Some(kept)));
}
