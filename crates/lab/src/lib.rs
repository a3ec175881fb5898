//! What the tests of all crates share: a private certificate authority, scripted peers that speak
//! raw bytes, and the real peers that other people wrote.

