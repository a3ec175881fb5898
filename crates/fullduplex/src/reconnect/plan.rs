use std::error::Error as StdError;
use std::future::Future;
use std::pin::Pin;

use crate::backend::builder::Builder;
use crate::object::maybe_send::MaybeSend;
use crate::reconnect::event::Lost;

/// The future that returns the options of one attempt.
pub(super) type BuilderFuture = Pin<Box<dyn ProvideBuilder>>;

/// The application's decisions about reconnecting.
pub(super) struct Plan {
    pub(super) provider: Box<dyn Provider>,
    pub(super) stop_when: Box<dyn StopWhen>,
}

pub(super) trait ProvideBuilder:
    Future<Output = Result<Builder, Box<dyn StdError + Send + Sync>>> + MaybeSend
{
}
impl<F> ProvideBuilder for F where
    F: Future<Output = Result<Builder, Box<dyn StdError + Send + Sync>>> + MaybeSend
{
}

pub(super) trait Provider: FnMut(u32) -> BuilderFuture + MaybeSend {}
impl<F: FnMut(u32) -> BuilderFuture + MaybeSend> Provider for F {}

pub(super) trait StopWhen: FnMut(&Lost) -> bool + MaybeSend {}
impl<F: FnMut(&Lost) -> bool + MaybeSend> StopWhen for F {}
