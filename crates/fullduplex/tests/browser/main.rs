//! The rows of the reference page as a program for a browser, a worker, or Node.js. The host sets the global
//! `testServer` to the URL of our echo server, and the global `report`, which is called with `ok NAME` for each
//! row and with `done` at the end. The global `leftOut` lists rows in which the host fails.
//! `cargo xtask browser` runs this program.

#[cfg(target_family = "wasm")]
mod browser;
#[cfg(target_family = "wasm")]
use browser::Target;
#[cfg(target_family = "wasm")]
#[path = "../../../lab/tests/reference_page/rows.rs"]
#[allow(clippy::unwrap_used, reason = "a test may end by a panic")]
mod rows;

fn main() {
    #[cfg(target_family = "wasm")]
    browser::run();
}
