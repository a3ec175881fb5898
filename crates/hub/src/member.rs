use std::sync::Arc;

use crate::backend::Backend;
use crate::topic::Topic;

/// A member of a topic. When this value is dropped, the member leaves the topic. Returned by
/// [`Hub::join`](crate::Hub::join).
#[derive(Debug)]
#[must_use = "dropping it leaves the topic"]
pub struct Member {
    pub(crate) backend: Arc<dyn Backend>,
    pub(crate) topic: Topic,
    pub(crate) id: u64,
}

impl Member {
    /// Returns a number that no other member has.
    pub fn id(&self) -> u64 {
        self.id
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.backend.leave(&self.topic, self.id);
    }
}
