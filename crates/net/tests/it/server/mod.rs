//! Tests of `Server`, and of the task that drives a handler.

mod counts;
mod driving;
mod ends;
mod fallback;
mod handlers;
mod limits;
mod per_core;
mod places;
mod shutdown;
mod timeouts;
