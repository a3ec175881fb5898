//! The memory of compression contexts.

use allocation_counter::measure;
use fullduplex_proto::{
    Connection, ContextParams, ContextTakeover, DeflateConfig, Received, WindowBits,
};

use crate::show;

use crate::support::pair::Clock;
use crate::support::*;

/// Creates both ends of a connection with compression in both directions.
fn ends(window_bits: u8, takeover: ContextTakeover) -> [Connection; 2] {
    let context =
        ContextParams { window_bits: WindowBits::new(window_bits).expect("8 to 15"), takeover };
    let mut deflate = DeflateConfig::default();
    (deflate.client, deflate.server) = (context, context);
    ROLES.map(|role| connection(role).with_deflate(deflate))
}

/// Sends a message in each direction.
fn converse([client, server]: &mut [Connection; 2], text: &str) {
    say(client, server, text);
    say(server, client, text);
}

fn say(from: &mut Connection, to: &mut Connection, text: &str) {
    from.send(text).expect("it is open");
    assert_eq!(events(to, &drain(from)), [Received::Message(text.into())]);
}

/// Releases unused memory.
fn idle(ends: &mut [Connection; 2]) {
    for end in ends {
        let mut clock = Clock::new();
        while let Some(at) = end.handle_timeout(clock.now) {
            clock.now = at;
        }
    }
}

/// Fault Z10: a context takes no memory before the first message, at most the documented amount in use,
/// and little when the connection is idle.
#[test]
fn a_context_takes_at_most_the_documented_memory() {
    let text = "many words, ".repeat(5000);
    // Without takeover, the memory belongs to the thread.
    converse(&mut ends(15, ContextTakeover::No), &text);
    for (window_bits, takeover, in_use, when_idle) in [
        (15, ContextTakeover::Yes, 540 << 10, 36 << 10),
        (15, ContextTakeover::No, 140 << 10, 4 << 10),
        (9, ContextTakeover::Yes, 320 << 10, 4 << 10),
    ] {
        let mut ends = None;
        let made = measure(|| ends = Some(self::ends(window_bits, takeover))).bytes_current;
        let mut ends = ends.unwrap();
        let used = made + measure(|| converse(&mut ends, &text)).bytes_current;
        let idle = used + measure(|| idle(&mut ends)).bytes_current;
        let [made, used, idle] = [made, used, idle].map(|both_ends| both_ends / 2);
        show(
            "Z10",
            format!("a window of {window_bits} bits, takeover: {takeover:?}"),
            format!("{made} bytes at first, {used} in use, {idle} when idle"),
        );
        assert!(made <= 1 << 10 && used <= in_use && idle <= when_idle);
    }
}

/// Fault Z9: a context is allocated once, not for each message, even with many connections in use.
#[test]
fn messages_allocate_no_new_contexts() {
    const CONNECTIONS: usize = 64;
    const ROUNDS: usize = 60;
    let text = "many words, ".repeat(100);
    for takeover in [ContextTakeover::Yes, ContextTakeover::No] {
        let mut all: Vec<_> = (0..CONNECTIONS).map(|_| ends(15, takeover)).collect();
        let mut round = || all.iter_mut().for_each(|ends| converse(ends, &text));
        // Fill the windows, so that the buffers of the windows have their final size.
        (0..ROUNDS).for_each(|_| round());
        let cost = measure(|| (0..ROUNDS).for_each(|_| round()));
        let messages = 2 * CONNECTIONS * ROUNDS;
        let each = cost.bytes_total / messages as u64;
        show(
            "Z9",
            format!("{messages} messages on {CONNECTIONS} connections, takeover: {takeover:?}"),
            format!("{} bytes kept, {each} allocated for each", cost.bytes_current),
        );
        assert!(cost.bytes_current <= 0 && each <= 16 << 10);
    }
}
