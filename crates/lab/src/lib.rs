//! What the tests of all crates share: a private certificate authority, scripted peers that speak
//! raw bytes, and the real peers that other people wrote.

pub mod ca;
pub mod clients;
pub mod echo;
pub mod faulty;
pub mod folder;
pub mod forward;
pub mod peers;
pub mod process;
pub mod proxy;
pub mod script;
pub mod served;
pub mod simulation;
pub mod target;
pub mod trace;
