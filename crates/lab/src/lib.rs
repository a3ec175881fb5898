//! Helpers for the tests of all crates: a certificate authority, scripted peers, streams that fail, a
//! simulation, and servers, clients and proxies of other projects.

pub mod broker;
pub mod ca;
pub mod cable;
pub mod clients;
pub mod echo;
pub mod faulty;
pub mod figures;
pub mod folder;
pub mod forward;
mod guarded;
#[cfg(doctest)]
mod guide;
pub mod http2;
pub mod page;
pub mod peers;
pub mod process;
pub mod proxy;
mod rng;
pub mod script;
pub mod served;
pub mod simulation;
pub mod sweep;
pub mod target;
pub mod trace;
