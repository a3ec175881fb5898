use std::sync::{Arc, Mutex};

use crate::object::event::{Event, EventType, ReadyState};
use crate::object::websocket::WebSocket;

/// What runs when an event fires.
pub(crate) type Callback = Arc<Mutex<dyn FnMut(&WebSocket, &Event) + Send>>;

/// Names a listener, to remove it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ListenerId(u64);

/// The listeners and event handlers of one socket, in the order in which they were added.
pub(crate) struct Listeners<C = Callback, T = EventType> {
    list: Vec<Listener<C, T>>,
    next_id: u64,
}

struct Listener<C, T> {
    id: ListenerId,
    event_type: T,
    kind: Kind,
    callback: C,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `onopen` and the like: at most one for each type of event.
    Handler,
    /// `addEventListener(…)`
    Listener,
    /// `addEventListener(…, { once: true })`
    Once,
}

impl<C, T> Default for Listeners<C, T> {
    fn default() -> Self {
        Self { list: Vec::new(), next_id: 0 }
    }
}

impl<C: Clone, T: PartialEq> Listeners<C, T> {
    pub(crate) fn add(&mut self, event_type: T, kind: Kind, callback: C) -> ListenerId {
        let id = ListenerId(self.next_id);
        self.next_id += 1;
        self.list.push(Listener { id, event_type, kind, callback });
        id
    }

    /// Sets the event handler. A new one in place of an old one keeps the old one's place among the
    /// listeners (HTML, "event handlers"); the old one is returned, to be dropped without a lock.
    pub(crate) fn set_handler(&mut self, event_type: T, callback: C) -> Option<C> {
        match self.handler(&event_type) {
            Some(index) => Some(std::mem::replace(&mut self.list[index].callback, callback)),
            None => {
                self.add(event_type, Kind::Handler, callback);
                None
            }
        }
    }

    pub(crate) fn clear_handler(&mut self, event_type: T) -> Option<C> {
        self.handler(&event_type).map(|index| self.list.remove(index).callback)
    }

    pub(crate) fn remove(&mut self, id: ListenerId) -> Option<C> {
        let index = self.list.iter().position(|listener| listener.id == id)?;
        Some(self.list.remove(index).callback)
    }

    /// Whom an event of this type that fires now concerns.
    pub(crate) fn concerned(&self, event_type: T) -> Vec<ListenerId> {
        let of_type = self.list.iter().filter(|listener| listener.event_type == event_type);
        of_type.map(|listener| listener.id).collect()
    }

    /// What to call for a listener, unless it was removed since; a `once` listener is removed now.
    pub(crate) fn take_call(&mut self, id: ListenerId) -> Option<C> {
        let index = self.list.iter().position(|listener| listener.id == id)?;
        match self.list[index].kind {
            Kind::Once => Some(self.list.remove(index).callback),
            Kind::Handler | Kind::Listener => Some(self.list[index].callback.clone()),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    fn handler(&self, event_type: &T) -> Option<usize> {
        self.list.iter().position(|listener| {
            listener.kind == Kind::Handler && listener.event_type == *event_type
        })
    }
}

impl Listeners {
    /// Whether somebody could still hear of a socket that nobody holds (WHATWG WebSockets,
    /// "garbage collection").
    pub(crate) fn keep_alive(&self, state: ReadyState) -> bool {
        use EventType::{Close, Error, Message, Open};
        let heard: &[EventType] = match state {
            ReadyState::Connecting => &[Open, Message, Error, Close],
            ReadyState::Open => &[Message, Error, Close],
            ReadyState::Closing => &[Error, Close],
            ReadyState::Closed => &[],
        };
        self.list.iter().any(|listener| heard.contains(&listener.event_type))
    }
}
