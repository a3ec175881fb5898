//! Deterministic simulation: a client and a server of `fullduplex-proto`, joined by a transport
//! that does what transports do, under a clock of their own. A seed decides everything: what both
//! ends say and when, how their bytes are cut and held up, and what breaks.
//!
//! A model that knows the RFCs and nothing of the implementation watches: `flow` and `wire`. What it
//! asserts is named by these:
//!
//! - I1: frames parse, their lengths in the shortest form. I2: a client masks, a server does not.
//! - I3: no data behind a Close. I4: one Close each way. I5: control frames are whole and short.
//! - I6: fragments of two messages do not mix. I7: text is UTF-8. I8: reserved bits mean something.
//! - I9: a Pong answers a Ping. I10: open, closing, closed, in this order.
//! - I11: what waits is what was accepted and not written. I12: asking changes nothing.
//! - I13: the same bytes in other chunks are the same. I14: and in the other role.
//! - I15: nothing has a meaning behind a Close or a violation.
//! - D1: delivered is what was sent, in order, up to some message; all of it when the peer's Close has
//!   arrived. D2: each end ends once. D3: whatever waits for the peer has a deadline and keeps it.

mod agreement;
mod content;
mod end;
mod flow;
mod frame;
mod inflater;
mod input;
mod output;
mod pipe;
mod plan;
mod replay;
mod rng;
mod run;
mod script;
mod sweep;
mod tally;
mod trace;
mod turn;
mod verdict;
mod wire;
mod world;

pub use run::run;
pub use sweep::{Sweep, sweep};
pub use tally::Tally;
pub use trace::Trace;
