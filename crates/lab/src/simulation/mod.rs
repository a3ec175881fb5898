//! Deterministic simulation of a client and a server of `fullduplex-proto` over a simulated transport
//! and clock. A seed decides everything: what both ends send and when, how the transport splits and
//! delays bytes, and which faults it has.
//!
//! A model (`flow` and `wire`), written from the RFCs alone, checks these invariants:
//!
//! - I1: frames parse, and lengths are in their shortest form. I2: a client masks, a server does not.
//! - I3: no data follows a Close. I4: each end sends one Close. I5: control frames are short and not
//!   fragmented.
//! - I6: fragments of two messages are not interleaved. I7: text is UTF-8. I8: reserved bits are set only
//!   as agreed.
//! - I9: a Pong answers a Ping. I10: a connection is open, then closing, then closed.
//! - I11: the queued bytes are those accepted and not written. I12: queries do not change the state.
//! - I13: the events do not depend on how the input is split. I14: the events do not depend on the role.
//! - I15: input after a Close or a violation is discarded.
//! - D1: messages are delivered unaltered and in order; if the peer's Close arrived, all of them.
//!   D2: each end ends once. D3: every state that waits for the peer has a deadline, which holds.

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
mod run;
mod script;
mod tally;
mod trace;
mod turn;
mod verdict;
mod wire;
mod world;

pub use run::{check, run};
pub use tally::Tally;
pub use trace::Trace;
