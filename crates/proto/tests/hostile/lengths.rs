//! Headers that announce very long frames.

use allocation_counter::measure;
use fullduplex_proto::{Limits, Violation};

use crate::{Victim, show};

use crate::support::*;

/// Fault FT-18: a header takes at most a small buffer, whether it is refused or accepted.
#[test]
fn a_header_alone_reserves_no_memory() {
    let limit = Limits::default().message_bytes;
    let too_big = Some(Violation::MessageTooBig { limit });
    let overflow = |length| Some(Violation::LengthOverflow(length));
    for role in ROLES {
        let mut most = 0;
        for first_byte in [0x82, 0x81, 0x02, 0x01] {
            for (length, violation) in [
                (u64::MAX, overflow(u64::MAX)),
                (1 << 63, overflow(1 << 63)),
                (i64::MAX as u64, too_big),
                (1 << 32, too_big),
                (1 << 31, too_big),
                (limit as u64 + 1, too_big),
                (limit as u64, None),
            ] {
                let wire = header_to(role, first_byte, length);
                let mut found = None;
                let cost = measure(|| {
                    let mut victim = Victim::new(connection(role));
                    found = victim.read(&wire).err();
                });
                assert_eq!(found, violation, "{length:#x}");
                most = most.max(cost.bytes_max);
            }
        }
        show(
            "FT-18",
            format!("{role:?}: headers that announce up to 2^64 - 1 bytes"),
            format!("peak {most} bytes"),
        );
        assert!(most <= 64 << 10);
    }
}

/// Fault FT-18: an accepted frame takes memory in proportion to the bytes that arrived.
#[test]
fn a_frame_takes_memory_in_proportion_to_what_arrived() {
    let announced = Limits::default().message_bytes as u64;
    for role in ROLES {
        for arrived in [1, 1000, 100_000, 1_000_000] {
            let mut most = 0;
            for first_byte in [0x82, 0x81, 0x02, 0x01] {
                let whole = frame(BINARY, vec![b'x'; arrived]).to(role);
                let payload = &whole[whole.len() - arrived..];
                let mut victim = Victim::new(connection(role));
                let cost = measure(|| {
                    victim.read(&header_to(role, first_byte, announced)).unwrap();
                    victim.read(payload).unwrap();
                });
                most = most.max(cost.bytes_max as usize);
            }
            show(
                "FT-18",
                format!("{role:?}: {arrived} bytes of a frame of 64 MiB"),
                format!("peak {most} bytes"),
            );
            assert!(most <= 2 * arrived + (64 << 10));
        }
    }
}
