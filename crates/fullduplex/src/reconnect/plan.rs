use std::error::Error as StdError;
use std::future::Future;
use std::pin::Pin;

use crate::backend::builder::Builder;
use crate::object::maybe_send::MaybeSend;
use crate::reconnect::event::Lost;

/// The future that returns the options of one attempt.
pub(super) type Provided = Pin<Box<dyn Provision>>;

/// The application's decisions about reconnecting.
pub(super) struct Plan {
    pub(super) provider: Box<dyn Provide>,
    pub(super) stop_when: Box<dyn StopWhen>,
}

pub(super) trait Provision:
    Future<Output = Result<Builder, Box<dyn StdError + Send + Sync>>> + MaybeSend
{
}
impl<F> Provision for F where
    F: Future<Output = Result<Builder, Box<dyn StdError + Send + Sync>>> + MaybeSend
{
}

pub(super) trait Provide: FnMut(u32) -> Provided + MaybeSend {}
impl<F: FnMut(u32) -> Provided + MaybeSend> Provide for F {}

pub(super) trait StopWhen: FnMut(&Lost) -> bool + MaybeSend {}
impl<F: FnMut(&Lost) -> bool + MaybeSend> StopWhen for F {}
