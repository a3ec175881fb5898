/// Identifies a listener, to remove it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ListenerId(u64);

/// The listeners and event handlers of one object, in the order in which they were added.
pub(crate) struct Listeners<C, T> {
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
    /// A handler such as `onopen`: at most one for each type of event.
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

impl<C: Clone, T: Copy + PartialEq> Listeners<C, T> {
    pub(crate) fn add(&mut self, event_type: T, kind: Kind, callback: C) -> ListenerId {
        let id = ListenerId(self.next_id);
        self.next_id += 1;
        self.list.push(Listener { id, event_type, kind, callback });
        id
    }

    /// Sets the event handler. A handler that replaces another keeps its place among the listeners
    /// (HTML, "event handlers"). Returns the replaced handler, which the caller drops outside the lock.
    pub(crate) fn set_handler(&mut self, event_type: T, callback: C) -> Option<C> {
        match self.handler(event_type) {
            Some(index) => Some(std::mem::replace(&mut self.list[index].callback, callback)),
            None => {
                self.add(event_type, Kind::Handler, callback);
                None
            }
        }
    }

    pub(crate) fn clear_handler(&mut self, event_type: T) -> Option<C> {
        self.handler(event_type).map(|index| self.list.remove(index).callback)
    }

    pub(crate) fn remove(&mut self, id: ListenerId) -> Option<C> {
        Some(self.list.remove(self.position(id)?).callback)
    }

    /// Returns the listeners that an event of this type reaches if it fires now.
    pub(crate) fn of_type(&self, event_type: T) -> Vec<ListenerId> {
        let of_type = self.list.iter().filter(|listener| listener.event_type == event_type);
        of_type.map(|listener| listener.id).collect()
    }

    /// Returns the callback of a listener, unless it has been removed. Removes a `once` listener.
    pub(crate) fn take_call(&mut self, id: ListenerId) -> Option<C> {
        let index = self.position(id)?;
        match self.list[index].kind {
            Kind::Once => Some(self.list.remove(index).callback),
            Kind::Handler | Kind::Listener => Some(self.list[index].callback.clone()),
        }
    }

    /// Returns the event type of each listener.
    pub(crate) fn types(&self) -> impl Iterator<Item = T> {
        self.list.iter().map(|listener| listener.event_type)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    fn position(&self, id: ListenerId) -> Option<usize> {
        self.list.iter().position(|listener| listener.id == id)
    }

    fn handler(&self, event_type: T) -> Option<usize> {
        self.list.iter().position(|listener| {
            listener.kind == Kind::Handler && listener.event_type == event_type
        })
    }
}
