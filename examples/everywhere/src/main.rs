//! A chat for the terminal and for the browser. `chat.rs` is the same for both; `terminal.rs` and `page.rs`
//! only show lines and read input.
//!
//! ```sh
//! fdx listen 127.0.0.1:9001 --broadcast --origin http://127.0.0.1:8000   # the room
//! cargo run --package everywhere ws://127.0.0.1:9001/ Bob                # in the terminal
//! ```
//!
//! README.md shows how to build the page.

mod chat;
#[cfg(target_family = "wasm")]
mod page;
#[cfg(not(target_family = "wasm"))]
mod terminal;

#[cfg(target_family = "wasm")]
use page as screen;
#[cfg(not(target_family = "wasm"))]
use terminal as screen;

fn main() {
    screen::run();
}
