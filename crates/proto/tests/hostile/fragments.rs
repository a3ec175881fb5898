//! Messages in very many fragments.

use allocation_counter::measure;
use fullduplex_proto::{Limits, Role};

use crate::{Victim, assert_linear, filled, show};

use crate::support::*;

/// Fault FT-20: a message in fragments of one byte takes at most twice the memory of the bytes received.
#[test]
fn fragments_of_one_byte_take_memory_in_proportion_to_the_input() {
    let limits = Limits::default();
    for role in ROLES {
        let fragment = frame(CONTINUATION, "x").unfinished().to(role);
        let all = fragment.repeat(limits.message_frames - 1);
        let mut victim = Victim::new(connection(role));
        let cost = measure(|| {
            victim.read(&frame(BINARY, "x").unfinished().to(role)).unwrap();
            victim.read(&all).unwrap();
        });
        let kept = usize::try_from(cost.bytes_current).unwrap();
        show(
            "FT-20",
            format!("{role:?}: {} fragments of 1 byte", limits.message_frames),
            format!("{kept} bytes kept of {} received, peak {}", all.len(), cost.bytes_max),
        );
        assert!(kept <= 2 * all.len() + (64 << 10));
    }
}

/// Fault FT-20: empty fragments take no memory, even without a limit on their number.
#[test]
fn ten_million_empty_fragments_take_no_memory() {
    const ROLE: Role = Role::Server;
    let mut limits = Limits::default();
    limits.message_frames = usize::MAX;
    let fragment = frame(CONTINUATION, "").unfinished().to(ROLE);
    let fragments = filled(&fragment);
    let mut victim = Victim::new(limited(ROLE, limits));
    victim.read(&frame(TEXT, "").unfinished().to(ROLE)).unwrap();
    victim.read(&fragments).unwrap();
    let cost = measure(|| {
        for _ in 0..10_000_000 / (fragments.len() / fragment.len()) {
            victim.read(&fragments).unwrap();
        }
    });
    show(
        "FT-20",
        "10,000,000 empty fragments, without a limit",
        format!("{} bytes kept, peak {}", cost.bytes_current, cost.bytes_max),
    );
    assert_eq!((cost.bytes_current, victim.events), (0, 0));
    assert!(cost.bytes_max <= 64 << 10);
}

/// Fault FT-20
#[test]
fn fragments_take_linear_time() {
    let fragment = frame(CONTINUATION, "xy").unfinished().to(Role::Server);
    let fragments = fragment.repeat(100_000);
    let ratio = assert_linear(100_000, |count| {
        let mut victim = Victim::new(connection(Role::Server));
        victim.read(&frame(TEXT, "").unfinished().to(Role::Server)).unwrap();
        victim.read(&fragments[..count * fragment.len()]).unwrap();
    });
    show("FT-20", "100,000 fragments", format!("{ratio:.2} times the time of 8 times 12,500"));
}
