//! The browser's backend of a `WebSocket`: the browser's object, and the events that no host has fired yet.

use std::collections::VecDeque;
use std::mem;
use std::sync::Arc;

use fullduplex_proto::{CloseFrame, Message};

use crate::browser::failure::Failure;
use crate::browser::runtime::spawn;
use crate::object::target::{Callbacks, Fired, MessageDemand, Object, State, Target};
use crate::object::wakers::Wakers;
use crate::rules::error::Error;
use crate::rules::event::{
    BinaryType, CloseEvent, Data, Event, EventType, MessageEvent, ReadyState,
};
use crate::rules::machine;

/// One socket and its event target.
pub(crate) type SocketTarget = Target<SocketState>;

pub(crate) struct SocketState {
    /// The browser's object, unless the browser refused to make it.
    pub(crate) socket: Option<web_sys::WebSocket>,
    inbox: VecDeque<Input>,
    binary_type: BinaryType,
    origin: Arc<str>,
    /// Why the connection failed, or `None` if it has not failed.
    pub(crate) failure: Option<Arc<Failure>>,
    /// The positive `bufferedAmount` that the application read last. The driver polls the amount, because the
    /// browser fires no event when it falls.
    pub(crate) watched: Option<u64>,
}

/// An event of the browser. It is converted when it fires.
pub(crate) enum Input {
    Open,
    Message { message: Message, origin: String },
    Close { failed: bool, event: CloseEvent },
}

impl SocketState {
    pub(crate) fn new(made: Result<web_sys::WebSocket, Failure>) -> Self {
        let mut state = Self {
            socket: None,
            inbox: VecDeque::new(),
            binary_type: BinaryType::default(),
            origin: Arc::from(""),
            failure: None,
            watched: None,
        };
        match made {
            Ok(socket) => state.socket = Some(socket),
            Err(failure) => {
                state.failure = Some(Arc::new(failure));
                state.inbox.push_back(Input::Close { failed: true, event: CloseEvent::failed() });
            }
        }
        state
    }

    pub(crate) fn ready_state(&self) -> ReadyState {
        match self.socket.as_ref().map(web_sys::WebSocket::ready_state) {
            Some(web_sys::WebSocket::CONNECTING) => ReadyState::Connecting,
            Some(web_sys::WebSocket::OPEN) => ReadyState::Open,
            Some(web_sys::WebSocket::CLOSING) => ReadyState::Closing,
            Some(_) => ReadyState::Closed,
            None if self.inbox.is_empty() => ReadyState::Closed,
            None => ReadyState::Connecting,
        }
    }

    pub(crate) fn buffered_amount(&self) -> u64 {
        self.socket.as_ref().map_or(0, |socket| socket.buffered_amount().into())
    }

    pub(crate) fn protocol(&self) -> String {
        self.socket.as_ref().map(web_sys::WebSocket::protocol).unwrap_or_default()
    }

    pub(crate) fn extensions(&self) -> String {
        self.socket.as_ref().map(web_sys::WebSocket::extensions).unwrap_or_default()
    }

    pub(crate) fn binary_type(&self) -> BinaryType {
        self.binary_type
    }

    pub(crate) fn set_binary_type(&mut self, binary_type: BinaryType) {
        self.binary_type = binary_type;
    }

    /// Returns the URL without its user and password.
    pub(crate) fn shown_url(&self) -> impl std::fmt::Debug + use<> {
        let url = self.socket.as_ref().map(web_sys::WebSocket::url).unwrap_or_default();
        // The browser has escaped an `@` of the user and the password.
        match url.split_once("//").map(|(scheme, rest)| (scheme, rest.split_once('@'))) {
            Some((scheme, Some((user, rest)))) if !user.contains(['/', '?']) => {
                format!("{scheme}//{rest}")
            }
            _ => url,
        }
    }

    /// Returns the browser's object. The caller closes it after it has released the lock, because Node.js may
    /// fire events during the call.
    fn start_closing(&mut self) -> Option<web_sys::WebSocket> {
        if self.ready_state() == ReadyState::Connecting && self.failure.is_none() {
            self.failure = Some(Arc::new(Failure::ClosedWhileConnecting));
        }
        self.socket.clone()
    }
}

impl Object for SocketState {
    type Event = Event;
    type EventType = EventType;
    type Task = Input;
    type DropLater = Callbacks<Self>;

    fn event_type(event: &Event) -> EventType {
        event.event_type()
    }

    fn close_event(event: &Event) -> Option<&CloseEvent> {
        match event {
            Event::Close(close) => Some(close),
            Event::Open | Event::Message(_) | Event::Error => None,
        }
    }

    fn next_task(&mut self, demand: MessageDemand) -> Option<Input> {
        let is_message = matches!(self.inbox.front(), Some(Input::Message { .. }));
        if demand == MessageDemand::Leave && is_message { None } else { self.inbox.pop_front() }
    }

    fn run(&mut self, input: Input, _: &mut Wakers) -> Fired<Event> {
        match input {
            Input::Open => Fired { first: Some(Event::Open), second: None },
            Input::Message { message, origin } => {
                if *self.origin != *origin {
                    self.origin = origin.into();
                }
                let data = Data::new(message, self.binary_type);
                let event = MessageEvent { data, origin: Arc::clone(&self.origin) };
                Fired { first: Some(Event::Message(event)), second: None }
            }
            Input::Close { failed, event } => {
                Fired { first: failed.then_some(Event::Error), second: Some(Event::Close(event)) }
            }
        }
    }

    /// Returns false, because a page cannot make the browser stop reading.
    fn is_full(&self) -> bool {
        false
    }

    fn can_fire(&self, event_type: EventType) -> bool {
        event_type.can_fire(self.ready_state())
    }

    fn finish(&mut self, listeners: &mut Callbacks<Self>) -> Callbacks<Self> {
        mem::take(listeners)
    }

    fn close_unobserved(&mut self, _: &mut Wakers) {
        if let Some(socket) = self.start_closing() {
            spawn(async move { drop(socket.close()) }); // once the lock is released
        }
    }
}

/// Called by the application.
impl SocketTarget {
    pub(crate) fn send(&self, message: Message) -> Result<(), Error> {
        let (socket, ready_state) = {
            let state = self.claimed();
            (state.object.socket.clone(), state.object.ready_state())
        };
        let Some(socket) = socket else {
            let is_connecting = ready_state == ReadyState::Connecting;
            return if is_connecting { Err(Error::Connecting) } else { Ok(()) };
        };
        let sent = match &message {
            Message::Text(text) => socket.send_with_str(text.as_str()),
            Message::Binary(bytes) => socket.send_with_u8_array(bytes),
        };
        // `send` throws no exception except an InvalidStateError.
        sent.map_err(|_| Error::Connecting)
    }

    /// Does the same as `send`, because a browser sends immediately.
    pub(crate) fn feed(&self, message: Message) -> Result<(), Error> {
        self.send(message)
    }

    pub(crate) fn flush(&self) {}

    pub(crate) fn close(&self, code: Option<u16>, reason: Option<&str>) -> Result<(), Error> {
        let frame = machine::close_frame(code, reason)?;
        let socket = self.claimed().object.start_closing();
        // The arguments were checked.
        match (socket, frame) {
            (Some(socket), Some(frame)) => {
                let reason = frame.reason.as_str();
                socket.close_with_code_and_reason(frame.code.get(), reason).ok();
            }
            (Some(socket), None) => {
                socket.close().ok();
            }
            (None, _) => {}
        }
        Ok(())
    }

    /// Closes the connection with a frame. The arguments of the frame were checked before.
    pub(crate) fn close_with_frame(&self, frame: Option<&CloseFrame>) {
        let code = frame.map(|frame| frame.code.get());
        self.close(code, frame.map(|frame| frame.reason.as_str())).ok();
    }
}

/// Called by the driver.
impl SocketTarget {
    pub(crate) fn post(&self, input: Input) {
        let mut state = self.state();
        state.object.inbox.push_back(input);
        state.wakers.wake_host();
    }
}

impl State<SocketState> {
    /// Returns the attribute `bufferedAmount`. If it is positive, the caller is woken when it falls.
    pub(crate) fn buffered_amount(&mut self) -> u64 {
        let amount = self.object.buffered_amount();
        if amount > 0 {
            self.object.watched = Some(amount);
            self.wakers.wake_driver();
        }
        amount
    }
}
