use std::cell::Cell;
use std::io;
use std::thread::LocalKey;

use bytes::BytesMut;
use fullduplex_proto::{Connection, Dormant, SendBuffer};
use tokio::time::Instant;

use crate::input::Input;
use crate::link::{Flush, copy};
use crate::tally::Tally;

thread_local! {
    /// The memory of one link that went to sleep, for the next one of the thread that wakes up.
    static SPARE: Cell<Option<Box<Awake>>> = const { Cell::new(None) };

    /// Room for what one link sends, while none of the thread has anything to send.
    static BUFFER: Cell<Option<SendBuffer>> = const { Cell::new(None) };
}

/// What a link knows of its connection, or the little that is kept of it while nothing is under way:
/// most links wait, most of the time.
#[derive(Debug)]
pub(crate) enum Engine {
    Awake(Box<Awake>),
    Dozing(Dormant),
    /// While one becomes the other.
    Between,
}

/// A connection, and what is needed to move its bytes.
#[derive(Debug)]
pub(crate) struct Awake {
    pub(crate) connection: Connection,
    /// Read and not yet understood. A link that waits keeps no more than an incomplete frame.
    pub(crate) input: Input,
    /// When the deadline of a closing peer that goes on talking counts; hardly ever.
    pub(crate) busy_deadline: Option<Instant>,
    /// What was written into the transport may still be held by it.
    pub(crate) flush: Flush,
    /// The first error of the transport.
    pub(crate) broken: Option<io::Error>,
    pub(crate) tally: Tally,
}

impl Engine {
    pub(crate) fn new(connection: Connection, input: BytesMut) -> Self {
        let awake = Awake::new(connection, Input::new(input));
        Self::Awake(match take(&SPARE) {
            Some(mut spare) => {
                *spare = awake;
                spare
            }
            None => Box::new(awake),
        })
    }

    /// The connection, awake.
    #[inline]
    pub(crate) fn awake(&mut self) -> &mut Awake {
        if let Self::Dozing(_) = self {
            self.wake();
        }
        match self {
            Self::Awake(awake) => awake,
            Self::Dozing(_) | Self::Between => unreachable!("it was woken"),
        }
    }

    #[cold]
    fn wake(&mut self) {
        if let Self::Dozing(dormant) = std::mem::replace(self, Self::Between) {
            *self = Self::Awake(match take(&SPARE) {
                Some(mut spare) => {
                    dormant.wake_in(&mut spare.connection);
                    spare
                }
                None => Box::new(Awake::new(dormant.wake(), Input::default())),
            });
        }
    }

    /// Keeps less from now on, if nothing is under way.
    pub(crate) fn doze(&mut self) {
        if let Self::Awake(awake) = self
            && awake.is_at_rest()
            && let Some(dormant) = awake.connection.doze()
            && let Self::Awake(spare) = std::mem::replace(self, Self::Dozing(dormant))
        {
            put(&SPARE, spare);
        }
    }
}

impl Awake {
    fn new(connection: Connection, input: Input) -> Self {
        Self {
            connection,
            input,
            busy_deadline: None,
            flush: Flush::Done,
            broken: None,
            tally: Tally::default(),
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
            && self.busy_deadline.is_none()
            && self.flush == Flush::Done
            && self.broken.is_none()
            && self.tally.is_empty()
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
