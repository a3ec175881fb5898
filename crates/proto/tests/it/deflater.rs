//! The deflater's output is complete, and its length reveals nothing about other messages (RFC 7692 section
//! 8).

use fullduplex_proto::{
    CompressionLevel, Connection, ContextParams, ContextTakeover, DeflateConfig, Message, Outgoing,
    Part, Prepared, Received, Role,
};

use crate::support::*;

const TAKEOVERS: [ContextTakeover; 2] = [ContextTakeover::Yes, ContextTakeover::No];

/// Creates an end that compresses every message.
fn deflating(role: Role, takeover: ContextTakeover) -> Connection {
    let context = ContextParams { takeover, ..ContextParams::default() };
    let mut deflate = DeflateConfig::default();
    (deflate.client, deflate.server, deflate.threshold) = (context, context, 0);
    connection(role).with_deflate(deflate)
}

/// Generates bytes without repetitions.
fn noise(seed: usize, len: usize) -> Vec<u8> {
    let mut state = (seed as u32).wrapping_mul(2_654_435_761) | 1;
    let next = |_| {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        (state >> 24) as u8
    };
    (0..len).map(next).collect()
}

/// Fault Z12: a flush outputs the whole message, even if the output exactly fills the buffer. The output of
/// some of these incompressible messages exactly fills the buffer.
#[test]
fn messages_of_every_length_are_flushed_completely() {
    for (role, takeover) in ROLES.into_iter().flat_map(|role| TAKEOVERS.map(|it| (role, it))) {
        let mut sender = deflating(role, takeover);
        let mut receiver = deflating(role.peer(), takeover);
        for len in (0..1100).chain(65_500..65_540) {
            for message in [noise(len, len), vec![b'x'; len]].map(Message::from) {
                sender.send(&message).unwrap();
                let received = events(&mut receiver, &drain(&mut sender));
                assert_eq!(received, [Received::Message(message)], "{role:?}, {takeover:?}: {len}");
            }
        }
    }
}

/// Returns how many bytes `guess` takes on the wire if it is sent after other messages.
fn len_after(before: &[Outgoing], guess: &str, takeover: ContextTakeover) -> usize {
    let mut server = deflating(Role::Server, takeover);
    before.iter().for_each(|message| server.send(message.clone()).expect("it is open"));
    drain(&mut server);
    server.send(guess).expect("it is open");
    drain(&mut server).len()
}

/// Fault Z14, RFC7692-8-1: an attacker sees the length of a message that contains a guess of a secret in an
/// earlier message. The length reveals nothing without takeover, or if the secret was sent uncompressed or
/// prepared.
#[test]
fn lengths_do_not_reveal_a_secret() {
    let secret = "session=0123456789abcdefghijklmnopqrstuvwxyz";
    let alone = len_after(&[], secret, ContextTakeover::Yes);
    let leaked = len_after(&[secret.into()], secret, ContextTakeover::Yes);
    assert!(leaked < alone / 2, "with takeover the length reveals it: {leaked} of {alone} bytes");
    for (before, takeover) in [
        (secret.into(), ContextTakeover::No),
        (Outgoing::uncompressed(secret), ContextTakeover::Yes),
        (Prepared::new(secret).into(), ContextTakeover::Yes),
    ] {
        assert_eq!(len_after(&[before], secret, takeover), alone, "{takeover:?}");
    }
    let both = [secret.into(), Prepared::new("for all").into()];
    assert_eq!(len_after(&both, secret, ContextTakeover::Yes), alone, "the window is empty again");
}

/// Without takeover, the connections of a thread share memory, but no content. That holds while a message is sent or
/// received in fragments.
#[test]
fn connections_without_takeover_share_no_content() {
    let [mut sender, mut other] = [(); 2].map(|()| deflating(Role::Server, ContextTakeover::No));
    let [mut receiver, mut other_receiver] =
        [(); 2].map(|()| deflating(Role::Client, ContextTakeover::No));
    let part = |text: &str, last| Part { content: text.into(), last };
    let whole = [Received::Message("one, two, three, four".into())];
    for _ in 0..3 {
        sender.send_part(&part("one, two, ", false)).unwrap();
        assert_eq!(events(&mut receiver, &drain(&mut sender)), []);
        other.send("one, two, three, four").unwrap();
        assert_eq!(events(&mut other_receiver, &drain(&mut other)), whole);
        sender.send_part(&part("three, four", true)).unwrap();
        assert_eq!(events(&mut receiver, &drain(&mut sender)), whole);
    }
}

/// Each end has a level of its own, although the ends of a thread share memory.
#[test]
fn a_higher_level_makes_shorter_messages() {
    let text: String = (0..200)
        .map(|number| format!("{{\"id\":{},\"user\":{}}},", number * 7919, number % 7))
        .collect();
    for takeover in TAKEOVERS {
        let mut lens =
            [CompressionLevel::FASTEST, CompressionLevel::default(), CompressionLevel::SMALLEST]
                .repeat(2)
                .into_iter()
                .map(|level| {
                    let context = ContextParams { takeover, ..ContextParams::default() };
                    let mut deflate = DeflateConfig::default();
                    (deflate.client, deflate.server, deflate.level) = (context, context, level);
                    let mut sender = connection(Role::Server).with_deflate(deflate);
                    sender.send(text.as_str()).unwrap();
                    let wire = drain(&mut sender);
                    let received = events(&mut deflating(Role::Client, takeover), &wire);
                    assert_eq!(received, [Received::Message(text.as_str().into())]);
                    wire.len()
                });
        let first: [usize; 3] = std::array::from_fn(|_| lens.next().unwrap());
        assert!(first.is_sorted_by(|a, b| a > b), "{first:?}");
        assert!(lens.eq(first), "{takeover:?}");
    }
}
