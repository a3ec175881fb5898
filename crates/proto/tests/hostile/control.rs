//! Floods of control frames.

use std::thread;

use allocation_counter::measure;
use fullduplex_proto::{CloseCode, Limits, Violation};

use crate::{Victim, filled, show, time};

use crate::support::*;

const MILLION: usize = 1_000_000;

/// Fault FT-15: a million Pings from a peer that does not read take less than 1 MiB and little stack.
#[test]
fn a_ping_storm_takes_less_than_a_mebibyte() {
    for role in ROLES {
        for size in [0, 125] {
            let pings = filled(&frame(PING, vec![7; size]).to(role));
            let storm = move || {
                measure(|| {
                    let mut victim = Victim::new(connection(role));
                    while victim.events < MILLION {
                        victim.read(&pings).unwrap();
                    }
                })
            };
            let small_stack = thread::Builder::new().stack_size(256 << 10);
            let cost = small_stack.spawn(storm).unwrap().join().unwrap();
            show(
                "FT-15",
                format!("{role:?}: 1,000,000 pings of {size} bytes"),
                format!("peak {} bytes", cost.bytes_max),
            );
            assert!(cost.bytes_max < 1 << 20);
        }
    }
}

/// Fault FT-16: unsolicited Pongs take no memory and queue no output.
#[test]
fn a_million_pongs_leave_no_memory() {
    for role in ROLES {
        let pongs = filled(&[frame(PONG, ""), frame(PONG, [1; 125])].map(|f| f.to(role)).concat());
        let mut victim = Victim::new(connection(role));
        victim.read(&pongs).unwrap();
        let per_read = victim.events;
        let cost = measure(|| {
            while victim.events < MILLION {
                victim.read(&pongs).unwrap();
            }
        });
        assert_eq!((victim.connection.queued_bytes(), cost.bytes_current), (0, 0));
        let best = (0..10).map(|_| time(|| victim.read(&pongs).unwrap())).min().unwrap();
        show(
            "FT-16",
            format!("{role:?}: 1,000,000 pongs of 0 and 125 bytes"),
            format!("0 bytes kept, {} ns each", best.as_nanos() / per_read as u128),
        );
    }
}

/// Fault FT-17: Pongs do not count towards the limits of a message, and do not extend them.
#[test]
fn pongs_do_not_prolong_a_message_without_end() {
    let mut limits = Limits::default();
    limits.message_bytes = 1 << 20;
    let (limit, frames) = (limits.message_bytes, limits.message_frames);
    for role in ROLES {
        for (size, violation, code, at) in [
            (0, Violation::TooManyFrames { limit: frames }, CloseCode::POLICY_VIOLATION, frames),
            (1000, Violation::MessageTooBig { limit }, CloseCode::MESSAGE_TOO_BIG, limit / 1000),
        ] {
            let mut victim = Victim::new(limited(role, limits));
            victim.read(&frame(BINARY, "").unfinished().to(role)).unwrap();
            let fragment = frame(CONTINUATION, vec![1; size]).unfinished();
            let step = [frame(PONG, "still here"), fragment].map(|f| f.to(role)).concat();
            let found = (0..2 * at).find_map(|_| victim.read(&step).err());
            assert_eq!(found, Some(violation));
            assert_eq!(violation.close_code(), code);
            let (pongs, due) = (victim.events, if size == 0 { at } else { at + 1 });
            assert_eq!(pongs, due, "one before each fragment, including the refused one");
            show(
                "FT-17",
                format!("{role:?}: fragments of {size} bytes with pongs, without end"),
                format!("closed with {} at fragment {}", code.get(), pongs + 1),
            );
        }
    }
}
