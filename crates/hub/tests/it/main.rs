//! Hubs, as an application uses them.

mod local;
mod support;
