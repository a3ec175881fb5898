//! The items that the objects use of a backend. A backend for browsers would be selected here.

pub(crate) use crate::native::failure::Failure;
pub(crate) use crate::native::outbox::PlaceNumber;
pub(crate) use crate::native::park::wait_for;
pub(crate) use crate::native::socket::{SocketState, SocketTarget};
pub(crate) use tokio::time::Instant;
