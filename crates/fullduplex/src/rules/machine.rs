//! The algorithms of the standard, without network and threads.
//!
//! A [`Machine`] is the state of one socket. Its host is this crate's
//! [`WebSocket`](crate::WebSocket) or a binding to another language. The host calls the machine for
//! each call of the application and acts on the result. It queues a [`Task`] for each input from
//! the network. It runs the tasks one by one on its event loop, and fires the events of a task
//! before it runs the next task.

use std::sync::Arc;

use fullduplex_proto::{CloseCode, CloseFrame, CloseReason, Message};

use crate::rules::error::Error;
use crate::rules::event::{BinaryType, CloseEvent, Data, Event, MessageEvent, ReadyState};

/// What happens to messages that arrive after `close()`, while the peer is still sending.
///
/// The WHATWG standard drops them. Many descriptions of the object say that they may be delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum AfterClose {
    /// Delivers them until the socket is CLOSED.
    #[default]
    Deliver,
    /// Drops them (WHATWG, "when a WebSocket message has been received", step 1).
    Drop,
}

/// The state of one socket, as the standard describes it.
#[derive(Debug)]
pub struct Machine {
    ready_state: ReadyState,
    buffered_amount: u64,
    buffer_limit: u64,
    protocol: String,
    extensions: String,
    binary_type: BinaryType,
    after_close: AfterClose,
    origin: Arc<str>,
}

/// What the host does after [`Machine::send`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sending {
    /// Send the data.
    Transmit,
    /// Drop the data: the socket is closing or closed. `bufferedAmount` includes them.
    Discard,
    /// Drop the data and the connection: the buffer is full. Queue [`Task::failed`].
    Full,
}

/// What the host does after [`Machine::close`] and [`Machine::disappear`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Closing {
    /// Nothing: the socket is already closing or closed.
    Nothing,
    /// Stop connecting. Queue [`Task::failed`].
    GiveUp,
    /// Send a Close frame with this body after all messages that were sent before.
    Handshake(Option<CloseFrame>),
}

/// An input of the network. The host runs it with [`Machine::run`] on its event loop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Task {
    /// The connection is established.
    Opened {
        /// The subprotocol in use, or "".
        protocol: String,
        /// The extensions in use, or "".
        extensions: String,
    },
    /// A message has arrived.
    Received(Message),
    /// The peer's Close has arrived.
    ClosingStarted,
    /// The network took this many bytes of payload.
    Transmitted(u64),
    /// The connection is closed. This is the last task.
    Closed {
        /// Whether the connection failed or was never established.
        failed: bool,
        /// The close event to fire.
        event: CloseEvent,
    },
}

impl Task {
    /// Returns the last task of a connection that failed. All failures look the same (WS-err-1).
    pub fn failed() -> Self {
        Self::Closed { failed: true, event: CloseEvent::failed() }
    }
}

/// Returns the body of the Close frame for the arguments of `close()`. Without arguments it has no body.
///
/// # Errors
/// [`Error::Code`] or [`Error::Reason`].
pub fn close_frame(code: Option<u16>, reason: Option<&str>) -> Result<Option<CloseFrame>, Error> {
    // 1. A code that is neither 1000 nor in 3000..=4999 is an InvalidAccessError.
    let code = match code {
        Some(code @ (1000 | 3000..=4999)) => {
            Some(CloseCode::new(code).map_err(|_| Error::Code(code))?)
        }
        Some(other) => return Err(Error::Code(other)),
        None => None,
    };
    // 2. A reason longer than 123 bytes is a SyntaxError.
    let reason = CloseReason::new(reason.unwrap_or_default())?;
    // A reason needs a code. The default is 1000, as in WebSocketStream.
    let implied = (!reason.as_str().is_empty()).then_some(CloseCode::NORMAL);
    Ok(code.or(implied).map(|code| CloseFrame { code, reason }))
}

impl Machine {
    /// Creates a socket in state CONNECTING. `origin` is the origin of its URL. `buffer_limit` is the
    /// largest number of bytes that may wait for the network.
    pub fn new(origin: Arc<str>, after_close: AfterClose, buffer_limit: u64) -> Self {
        Self {
            ready_state: ReadyState::Connecting,
            buffered_amount: 0,
            buffer_limit,
            protocol: String::new(),
            extensions: String::new(),
            binary_type: BinaryType::default(),
            after_close,
            origin,
        }
    }

    /// Returns the attribute `readyState`.
    pub fn ready_state(&self) -> ReadyState {
        self.ready_state
    }

    /// Returns the attribute `bufferedAmount`: the number of bytes of payload that were passed to
    /// [`send`](Self::send) and not written to the network. It is never reset.
    pub fn buffered_amount(&self) -> u64 {
        self.buffered_amount
    }

    /// Returns the attribute `protocol`: "" before the `open` event.
    pub fn protocol(&self) -> &str {
        &self.protocol
    }

    /// Returns the attribute `extensions`: "" before the `open` event.
    pub fn extensions(&self) -> &str {
        &self.extensions
    }

    /// Returns the attribute `binaryType`.
    pub fn binary_type(&self) -> BinaryType {
        self.binary_type
    }

    /// Sets `binaryType` for the next messages.
    pub fn set_binary_type(&mut self, binary_type: BinaryType) {
        self.binary_type = binary_type;
    }

    /// Runs `send(data)` with `len` bytes of payload. `written` is the number of bytes that the network took and for
    /// which no [`Task::Transmitted`] has run yet. These bytes do not count towards the limit.
    ///
    /// # Errors
    /// [`Error::Connecting`].
    pub fn send(&mut self, len: usize, written: u64) -> Result<Sending, Error> {
        // 1. While CONNECTING, throw an InvalidStateError.
        if self.ready_state == ReadyState::Connecting {
            return Err(Error::Connecting);
        }
        // 2. In every other state, bufferedAmount grows by the length of the data.
        self.buffered_amount = self.buffered_amount.saturating_add(len as u64);
        let waiting = self.buffered_amount.saturating_sub(written);
        Ok(match self.ready_state {
            ReadyState::Open if waiting > self.buffer_limit => Sending::Full,
            ReadyState::Open => Sending::Transmit,
            _ => Sending::Discard,
        })
    }

    /// Runs `close(code, reason)`.
    ///
    /// # Errors
    /// [`Error::Code`] or [`Error::Reason`], in every state.
    pub fn close(&mut self, code: Option<u16>, reason: Option<&str>) -> Result<Closing, Error> {
        // 1. and 2. Invalid arguments, in every state.
        let frame = close_frame(code, reason)?;
        // 3. The first matching statement:
        Ok(match self.ready_state {
            ReadyState::Closing | ReadyState::Closed => Closing::Nothing,
            ReadyState::Connecting => self.give_up(),
            ReadyState::Open => {
                self.ready_state = ReadyState::Closing;
                Closing::Handshake(frame)
            }
        })
    }

    /// Implements "make disappear": the environment of the object ends before the object does.
    pub fn disappear(&mut self) -> Closing {
        match self.ready_state {
            ReadyState::Closing | ReadyState::Closed => Closing::Nothing,
            ReadyState::Connecting => self.give_up(),
            ReadyState::Open => {
                self.ready_state = ReadyState::Closing;
                let frame =
                    CloseFrame { code: CloseCode::GOING_AWAY, reason: CloseReason::default() };
                Closing::Handshake(Some(frame))
            }
        }
    }

    /// Runs a task. Returns the events to fire, in order.
    pub fn run(&mut self, task: Task) -> impl Iterator<Item = Event> + use<> {
        let (first, second) = self.run_for_events(task);
        first.into_iter().chain(second)
    }

    /// Returns whether a received message is delivered in this state.
    pub fn delivers(&self) -> bool {
        match self.ready_state {
            ReadyState::Open => true,
            ReadyState::Closing => self.after_close == AfterClose::Deliver,
            ReadyState::Connecting | ReadyState::Closed => false,
        }
    }

    fn give_up(&mut self) -> Closing {
        self.ready_state = ReadyState::Closing;
        // No `message` event may fire without an `open` event, even if tasks for messages already wait.
        self.after_close = AfterClose::Drop;
        Closing::GiveUp
    }

    pub(crate) fn run_for_events(&mut self, task: Task) -> (Option<Event>, Option<Event>) {
        match task {
            // "When the WebSocket connection is established", unless close() came first.
            Task::Opened { protocol, extensions } => {
                if self.ready_state != ReadyState::Connecting {
                    return (None, None);
                }
                self.ready_state = ReadyState::Open;
                self.extensions = extensions;
                self.protocol = protocol;
                (Some(Event::Open), None)
            }
            // "When a WebSocket message has been received"
            Task::Received(message) => {
                let event = self.delivers().then(|| MessageEvent {
                    data: Data::new(message, self.binary_type),
                    origin: Arc::clone(&self.origin),
                });
                (event.map(Event::Message), None)
            }
            // "When the WebSocket closing handshake is started"
            Task::ClosingStarted => {
                self.ready_state = self.ready_state.max(ReadyState::Closing);
                (None, None)
            }
            Task::Transmitted(bytes) => {
                self.buffered_amount = self.buffered_amount.saturating_sub(bytes);
                (None, None)
            }
            // "When the WebSocket connection is closed": one task for both events.
            Task::Closed { failed, event } => {
                self.ready_state = ReadyState::Closed;
                (failed.then_some(Event::Error), Some(Event::Close(event)))
            }
        }
    }
}
