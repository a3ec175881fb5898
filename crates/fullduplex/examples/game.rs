//! Takes events between the frames of a drawing loop, without blocking:
//! `cargo run --example game ws://127.0.0.1:9001/`
#![allow(clippy::print_stdout, reason = "an example shows what happens")]

use std::time::Duration;

use fullduplex::{Error, Event, WebSocket};

fn main() -> Result<(), Error> {
    let frames = run(&std::env::args().nth(1).expect("usage: game URL"))?;
    println!("the game is over after {frames} frames");
    Ok(())
}

/// Sends moves to an echo server until three have come back. Returns the number of frames.
pub(crate) fn run(url: &str) -> Result<u64, Error> {
    let socket = WebSocket::new(url, ())?;
    let mut events = socket.events();
    let mut moves = 0;
    for frame in 1.. {
        // All handlers and events run here, on the game's thread.
        while let Some(event) = events.try_next() {
            match event {
                Event::Open => socket.send("move 1")?,
                Event::Message(_) if moves == 2 => socket.close(),
                Event::Message(_) => {
                    moves += 1;
                    socket.send(format!("move {}", moves + 1))?;
                }
                Event::Error => println!("failed: {:?}", socket.failure()),
                Event::Close(_) => return Ok(frame),
            }
        }
        std::thread::sleep(Duration::from_millis(16)); // draw
    }
    unreachable!("the close event ends the loop")
}
