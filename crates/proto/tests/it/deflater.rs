//! What leaves through our deflater: all of a message, and nothing of another one (RFC 7692 section 8).

use crate::support::*;
use fullduplex_proto::{
    Connection, ContextParams, ContextTakeover, DeflateConfig, Message, Outgoing, Prepared,
    Received, Role,
};

const TAKEOVERS: [ContextTakeover; 2] = [ContextTakeover::Yes, ContextTakeover::No];

/// An end that compresses whatever it sends.
fn deflating(role: Role, takeover: ContextTakeover) -> Connection {
    let context = ContextParams { takeover, ..ContextParams::default() };
    let mut deflate = DeflateConfig::default();
    (deflate.client, deflate.server, deflate.threshold) = (context, context, 0);
    connection(role).with_deflate(deflate)
}

/// Bytes in which nothing repeats.
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

/// Fault Z12: whatever room the deflater was given, nothing of a message stays behind in it. What
/// cannot be compressed fills the room to the byte at some length, and what can comes right after.
#[test]
fn a_message_leaves_whole_at_every_length() {
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

/// How many bytes `guess` takes on the wire behind other messages.
fn len_behind(before: &[Outgoing], guess: &str, takeover: ContextTakeover) -> usize {
    let mut server = deflating(Role::Server, takeover);
    before.iter().for_each(|message| server.send(message.clone()).expect("it is open"));
    drain(&mut server);
    server.send(guess).expect("it is open");
    drain(&mut server).len()
}

/// Fault Z14, RFC7692-8-1: who sees how long messages are, and has one sent that guesses at a secret of
/// another, learns nothing: without takeover, or where the secret was not compressed, or prepared.
#[test]
fn no_length_tells_of_a_secret() {
    let secret = "session=0123456789abcdefghijklmnopqrstuvwxyz";
    let alone = len_behind(&[], secret, ContextTakeover::Yes);
    let told = len_behind(&[secret.into()], secret, ContextTakeover::Yes);
    assert!(told < alone / 2, "so it would be told: {told} of {alone} bytes");
    for (before, takeover) in [
        (secret.into(), ContextTakeover::No),
        (Outgoing::uncompressed(secret), ContextTakeover::Yes),
        (Prepared::new(secret).into(), ContextTakeover::Yes),
    ] {
        assert_eq!(len_behind(&[before], secret, takeover), alone, "{takeover:?}");
    }
    let both = [secret.into(), Prepared::new("for all").into()];
    assert_eq!(len_behind(&both, secret, ContextTakeover::Yes), alone, "the window begins anew");
}
