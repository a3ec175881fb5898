//! The topics that this node follows.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::counters::Counters;
use crate::ids::Ids;
use crate::options::HubOptions;
use crate::slot::Slot;
use crate::topic::Topic;

/// The state that all parts of a hub share.
#[derive(Debug)]
pub(crate) struct Topics {
    pub(crate) options: HubOptions,
    pub(crate) counters: Arc<Counters>,
    pub(crate) ids: Ids,
    slots: Mutex<HashMap<Topic, Arc<Slot>>>,
}

impl Topics {
    pub(crate) fn new(options: HubOptions) -> Arc<Self> {
        let (counters, ids, slots) = (Arc::default(), Ids::new(), Mutex::default());
        Arc::new(Self { options, counters, ids, slots })
    }

    /// Returns the slot of a topic. Creates it if there is none.
    pub(crate) fn slot(&self, topic: &Topic) -> Arc<Slot> {
        let mut slots = self.slots();
        if let Some(slot) = slots.get(topic) {
            return Arc::clone(slot);
        }
        let history = self.options.history(topic);
        let slot = Slot::new(topic.clone(), history, Arc::clone(&self.counters), now());
        let slot = Arc::new(slot);
        slots.insert(topic.clone(), Arc::clone(&slot));
        slot
    }

    /// Returns the slot of a topic if there is one.
    pub(crate) fn find(&self, topic: &Topic) -> Option<Arc<Slot>> {
        self.slots().get(topic).cloned()
    }

    pub(crate) fn all(&self) -> Vec<Arc<Slot>> {
        self.slots().values().cloned().collect()
    }

    pub(crate) fn len(&self) -> usize {
        self.slots().len()
    }

    /// Removes a slot if only the map and the caller have references to it. Returns whether it was removed.
    pub(crate) fn remove_unused(&self, slot: &Arc<Slot>) -> bool {
        let mut slots = self.slots();
        // Other tasks can get the slot only from the map, which is locked.
        let removed = Arc::strong_count(slot) <= 2;
        if removed {
            slots.remove(&slot.topic);
        }
        removed
    }

    fn slots(&self) -> MutexGuard<'_, HashMap<Topic, Arc<Slot>>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns the time since 1970. The system clock is read once. If it is set later, this time does not jump, so timeouts
/// and the age of messages stay right.
pub(crate) fn now() -> Duration {
    static START: LazyLock<(Instant, Duration)> = LazyLock::new(|| {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH);
        (Instant::now(), wall.unwrap_or_default())
    });
    let (instant, since_1970) = &*START;
    *since_1970 + instant.elapsed()
}
