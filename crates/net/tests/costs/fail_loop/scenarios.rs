//! The scripts of both ends.

use fullduplex_lab::script::{
    CLOSE, FIN, PING, PONG, RSV1, SAMPLE_REQUEST, TEXT, frame, masked_frame,
};
use fullduplex_net::proto::{CloseCode, Message, Outgoing, Prepared};

use super::client::{Step as Client, close};
use super::server::{LIMIT, Step as Server};

/// A script for each end.
#[derive(Debug)]
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) client: Vec<Client>,
    pub(crate) server: Vec<Server>,
    /// How the connection ends when nothing fails.
    pub(crate) end: End,
}

/// How a scenario ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// The opening request is rejected with this status.
    Rejected(u16),
    /// Both ends close, and this is the client's code.
    Clean(u16),
    /// The connection is lost, fails or times out.
    Unclean,
}

use Client::{Compress, End as Hangup, Fragments, Raw, Read, Write};
use End::{Clean, Rejected, Unclean};
use Server::{Feed, Flush, Ping, Receive, ReceiveParts, Send, SendParts, StartClose};

/// Returns all scenarios.
pub(crate) fn scenarios() -> Vec<Scenario> {
    let open = [to_the_server(), to_the_client(), both_ways(), compressed()].into_iter().flatten();
    handshakes().into_iter().chain(open).chain(closes()).chain(failures()).collect()
}

fn handshakes() -> Vec<Scenario> {
    let (first, rest) = SAMPLE_REQUEST.split_at(50);
    let with_ping = [SAMPLE_REQUEST.as_bytes(), &masked_frame(FIN | PING, "early")].concat();
    let nonsense = raw(&"NONSENSE\r\n\r\n".repeat(1000));
    let not_for_us = raw("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let early = [Raw(with_ping), Write("early".into()), Read(2), close(1001)];
    let pieces = [raw(first), raw(rest), Read(1), close(1000)];
    vec![
        talk("a handshake, and a close", [Read(1)], []),
        scenario("a request in two pieces", pieces, [], Clean(1000)),
        scenario("frames after the request", early, [], Clean(1001)),
        scenario("a plain request", [not_for_us, Read(1), Hangup], [], Rejected(426)),
        scenario(
            "an invalid request with more after it",
            [nonsense, Read(1), Hangup],
            [],
            Rejected(400),
        ),
        scenario("the stream ends in the request", [raw(first), Hangup], [], Rejected(0)),
    ]
}

fn to_the_server() -> Vec<Scenario> {
    vec![
        talk("a text to the server", [Write("Grüße".into())], [Receive]),
        talk("a large message to the server", [Write(binary(50_000))], [Receive]),
        talk("many messages to the server", numbers().map(Write), [Receive, Receive, Receive]),
        talk(
            "fragments with pings between them",
            [Fragments(binary(5000), 1000), Fragments("Grüße".into(), 1)],
            [],
        ),
    ]
}

fn to_the_client() -> Vec<Scenario> {
    let more_than_waits = std::iter::repeat_n(Feed(binary(20_000)), 5);
    vec![
        talk("a text to the client", [Read(2)], [Send("Grüße".into())]),
        talk("a large message to the client", [Read(2)], [Send(binary(50_000).into())]),
        talk("many messages to the client", [Read(41)], numbers().map(Feed).chain([Flush])),
        talk("more messages than the queue holds", [Read(6)], more_than_waits),
    ]
}

fn both_ways() -> Vec<Scenario> {
    let pong = Raw(masked_frame(FIN | PONG, "there?"));
    let ask = |count: usize| [Write("ask".into()), Read(1 + count)];
    let answer = || [Receive, Send("answer".into())];
    vec![
        talk(
            "empty messages both ways",
            [Write("".into()), Write(binary(0)), Read(3)],
            [Receive, Receive, Send("".into()), Send(binary(0).into())],
        ),
        talk(
            "question and answer, three times",
            (1..=3).flat_map(ask),
            (0..3).flat_map(|_| answer()),
        ),
        talk("pings of the client", [ping(), ping(), Read(3)], []),
        talk("a ping of the server", [Read(2), pong, Write("more".into())], [Ping, Flush, Receive]),
    ]
}

fn compressed() -> Vec<Scenario> {
    let talk = |name, client: Vec<Client>, server: Vec<Server>| {
        let client = [offering(), Read(1)].into_iter().chain(client).chain([close(1000)]);
        scenario(name, client, server, Clean(1000))
    };
    let large = || incompressible(15_000);
    let prepared = Prepared::new(large());
    let parts = || vec![large(), binary(0), binary(10)];
    vec![
        talk(
            "compressed messages to the server",
            vec![Compress(large()), Write("plain".into()), Compress(large()), Compress("".into())],
            vec![Receive],
        ),
        talk(
            "compressed messages to the client",
            vec![Read(4)],
            vec![Feed(large()), Feed("plain".into()), Feed(large())],
        ),
        talk(
            "compressed both ways, with the same window",
            vec![Compress(large()), Read(2), Compress(large()), Read(3)],
            vec![Receive, Send(large().into()), Receive, Send(large().into())],
        ),
        talk(
            "a prepared message, and an uncompressed one after it",
            vec![Read(4)],
            vec![
                Send(prepared.clone().into()),
                Send(Outgoing::uncompressed(large())),
                Send(prepared.into()),
            ],
        ),
        talk(
            "messages in parts",
            vec![Compress(large()), Write(large()), Read(3)],
            vec![ReceiveParts, ReceiveParts, SendParts(parts()), SendParts(parts())],
        ),
    ]
}

fn closes() -> Vec<Scenario> {
    let without_code = Raw(masked_frame(FIN | CLOSE, ""));
    let leave = || StartClose(CloseCode::GOING_AWAY);
    let queue = [Feed(binary(10_000)), Feed("x".into()), Feed(binary(10_000)), leave()];
    vec![
        talk("the server closes", [Read(2)], [leave()]),
        talk("both close at once", [Read(1)], [leave()]),
        talk("the server closes after queued messages", [Read(5)], queue),
        talk(
            "messages arrive after the server's close",
            [Read(2), Write("last words".into()), Write(binary(10_000))],
            [leave()],
        ),
        talk(
            "the client closes while messages are queued for it",
            [Read(1)],
            [Feed(binary(20_000)), Feed("behind it".into())],
        ),
        scenario("a close without a code", [request(), without_code], [], Clean(1005)),
    ]
}

fn failures() -> Vec<Scenario> {
    let mut half = masked_frame(FIN | TEXT, [b'x'; 100]);
    half.truncate(50);
    let too_large = Raw(masked_frame(FIN | TEXT, vec![b'x'; LIMIT + 1]));
    let corrupt = Raw(masked_frame(FIN | RSV1 | TEXT, [0xFF; 100]));
    let unmasked = Raw(frame(FIN | TEXT, "bare"));
    vec![
        lost("the client hangs up", [Write("bye".into()), Hangup], []),
        lost("the client hangs up in a frame", [Raw(half), Hangup], []),
        lost(
            "the client violates the protocol and keeps sending",
            [Write("fine".into()), unmasked, Raw(masked_frame(FIN | TEXT, "more")), Hangup],
            [],
        ),
        lost("the client sends too large a message", [too_large, Hangup], []),
        scenario(
            "the client sends invalid compressed data",
            [offering(), Read(1), corrupt],
            [],
            Unclean,
        ),
        lost("the client never answers a close", [Read(2)], [StartClose(CloseCode::NORMAL)]),
    ]
}

fn scenario(
    name: &'static str,
    client: impl IntoIterator<Item = Client>,
    server: impl IntoIterator<Item = Server>,
    end: End,
) -> Scenario {
    let (client, server) = (client.into_iter().collect(), server.into_iter().collect());
    Scenario { name, client, server, end }
}

/// A scenario after the handshake. At the end the client closes, or answers the server's Close.
fn talk(
    name: &'static str,
    client: impl IntoIterator<Item = Client>,
    server: impl IntoIterator<Item = Server>,
) -> Scenario {
    let client = [request()].into_iter().chain(client).chain([close(1000)]);
    scenario(name, client, server, Clean(1000))
}

/// A scenario after the handshake without a closing handshake.
fn lost(
    name: &'static str,
    client: impl IntoIterator<Item = Client>,
    server: impl IntoIterator<Item = Server>,
) -> Scenario {
    scenario(name, [request()].into_iter().chain(client), server, Unclean)
}

fn request() -> Client {
    raw(SAMPLE_REQUEST)
}

/// The request with an offer of permessage-deflate.
fn offering() -> Client {
    let head = SAMPLE_REQUEST.trim_end();
    raw(&format!("{head}\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n"))
}

fn raw(text: &str) -> Client {
    Raw(text.into())
}

fn ping() -> Client {
    Raw(masked_frame(FIN | PING, "?"))
}

fn numbers() -> impl Iterator<Item = Message> {
    (0..40).map(|number| number.to_string().into())
}

fn binary(size: usize) -> Message {
    (0..size).map(|i| (i % 251) as u8).collect::<Vec<u8>>().into()
}

/// Bytes that do not compress.
fn incompressible(size: usize) -> Message {
    let next = |state: &u32| Some(state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223));
    let states = std::iter::successors(Some(1), next);
    states.take(size).map(|state| (state >> 24) as u8).collect::<Vec<u8>>().into()
}
