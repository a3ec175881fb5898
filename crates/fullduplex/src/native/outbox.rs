use std::collections::VecDeque;

use fullduplex_proto::{CloseFrame, Message};

use crate::native::failure::Failure;

/// Requests of the application to the network, in the order in which the driver carries them out.
#[derive(Default)]
pub(crate) struct Outbox {
    messages: VecDeque<Place>,
    /// The number of places taken from the front so far.
    taken: u64,
    /// Closes the connection after the messages.
    pub(crate) close: Option<CloseRequest>,
    /// The number of the Ping to send.
    pub(crate) ping: Option<u64>,
    /// Drops the connection at once.
    pub(crate) abort: Option<Failure>,
}

/// A Close frame to send.
#[derive(Debug)]
pub(crate) enum CloseRequest {
    WithoutCode,
    With(CloseFrame),
}

/// The place of a message in the order of sending.
enum Place {
    Taken(Message),
    /// The application is still reading the message, which has this many bytes.
    Reserved(usize),
}

/// Identifies a reserved place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PlaceNumber(u64);

impl CloseRequest {
    pub(crate) fn frame(&self) -> Option<&CloseFrame> {
        match self {
            Self::WithoutCode => None,
            Self::With(frame) => Some(frame),
        }
    }
}

impl From<Option<CloseFrame>> for CloseRequest {
    fn from(frame: Option<CloseFrame>) -> Self {
        frame.map_or(Self::WithoutCode, Self::With)
    }
}

impl Outbox {
    /// Returns whether there is no room for another message.
    pub(crate) fn is_full(&self) -> bool {
        self.messages.len() >= OUTBOX_MESSAGES
    }

    pub(crate) fn push(&mut self, message: Message) {
        self.messages.push_back(Place::Taken(message));
    }

    /// Reserves a place for a message of `len` bytes. Later messages wait for it.
    pub(crate) fn reserve(&mut self, len: usize) -> PlaceNumber {
        self.messages.push_back(Place::Reserved(len));
        PlaceNumber(self.taken + self.messages.len() as u64 - 1)
    }

    /// Puts the message into its place. Returns `false` if its length is not the reserved one.
    pub(crate) fn fill(&mut self, PlaceNumber(number): PlaceNumber, message: Message) -> bool {
        let index = usize::try_from(number - self.taken).unwrap_or(usize::MAX);
        // The places are gone once the socket has ended.
        let Some(place) = self.messages.get_mut(index) else { return true };
        let fits = matches!(place, Place::Reserved(len) if *len == message.len());
        if fits {
            *place = Place::Taken(message);
        }
        fits
    }

    /// Takes the next message, unless its place is only reserved.
    pub(crate) fn pop(&mut self) -> Option<Message> {
        match self.messages.pop_front()? {
            Place::Taken(message) => {
                self.taken += 1;
                Some(message)
            }
            reserved @ Place::Reserved(_) => {
                self.messages.push_front(reserved);
                None
            }
        }
    }

    /// Takes the request to close once all earlier messages were taken.
    pub(crate) fn take_close(&mut self) -> Option<CloseRequest> {
        if self.messages.is_empty() { self.close.take() } else { None }
    }

    /// Returns whether the driver has something to hand over to the connection.
    pub(crate) fn is_due(&self) -> bool {
        match self.messages.front() {
            Some(place) => matches!(place, Place::Taken(_)),
            None => self.close.is_some() || self.ping.is_some(),
        }
    }
}

/// The number of messages that may wait for the network. The limit also applies to empty messages, which the
/// limit of bytes does not count.
const OUTBOX_MESSAGES: usize = 1 << 20;
