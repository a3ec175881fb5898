//! What the objects need of a backend. Another one, for browsers, would be chosen here.

pub(crate) use crate::native::failure::Failure;
pub(crate) use crate::native::outbox::PlaceNumber;
pub(crate) use crate::native::park::wait_for;
pub(crate) use crate::native::socket::{SocketState, SocketTarget};
pub(crate) use tokio::time::Instant;
