//! Deterministic simulation of WebSockets over HTTP/2: our client and our server, in one thread, over links in
//! memory and with a simulated clock. A seed decides everything: how many sockets there are and when they open,
//! what both ends send, how they end, the windows and the limits of HTTP/2, how the link splits and delays bytes,
//! and when it is cut, stalls or loses everything.
//!
//! It checks these invariants:
//!
//! - M1: messages are delivered unaltered, in order, and by the socket that they were sent on; none is lost
//!   before the last one that was delivered, and none is repeated.
//! - M2: if the Close of the peer arrived, all messages that the peer had sent before it arrived too.
//! - M3: a socket opens, and stays open, unless an end closes it, the link fails, or the server shuts down.
//! - M4: each end of a socket ends in time after such a cause.
//! - M5: after the last socket, no task and no connection is left.

mod end;
mod ledger;
mod link;
mod plan;
mod tally;
mod trace;
mod world;

pub use tally::Tally;
pub use trace::Trace;
pub use world::{check, run};
