use std::error::Error as StdError;
use std::future::Future;
use std::pin::Pin;

use crate::native::builder::Builder;
use crate::reconnect::event::Lost;

/// The future options of one attempt.
pub(super) type Provided =
    Pin<Box<dyn Future<Output = Result<Builder, Box<dyn StdError + Send + Sync>>> + Send>>;

/// The application's decisions about reconnecting.
pub(super) struct Plan {
    pub(super) provider: Box<dyn FnMut(u32) -> Provided + Send>,
    pub(super) stop_when: Box<dyn FnMut(&Lost) -> bool + Send>,
}
