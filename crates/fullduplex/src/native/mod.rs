pub(crate) mod driver;
pub(crate) mod park;
pub(crate) mod queues;
pub(crate) mod runtime;
pub(crate) mod shared;
pub(crate) mod wakers;
