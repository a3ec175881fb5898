use fullduplex_bench::client::Offer;
use fullduplex_bench::content::{Content, Kind};
use fullduplex_bench::server::{Http, Mode};

/// A task for servers or clients.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Workload {
    /// The short name.
    pub(crate) name: &'static str,
    /// The description.
    pub(crate) title: &'static str,
    pub(crate) connections: usize,
    /// The number of messages sent at once. Their replies must arrive before the next ones are
    /// sent.
    pub(crate) burst: usize,
    pub(crate) content: Content,
    pub(crate) offer: Offer,
    pub(crate) action: Action,
    /// With HTTP/2, each connection of the workload is a stream.
    pub(crate) http: Http,
}

/// Which end is measured, and with what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    /// A server echoes messages.
    Echo,
    /// A server sends the messages of one connection to all connections.
    Broadcast,
    /// A server accepts handshakes, and closes.
    Handshake,
    /// A client sends to an echo server.
    Client,
}

/// The workloads, in the order of the document. The eighth workload of the document is the memory of
/// an idle connection, which another program measures.
pub(crate) const WORKLOADS: [Workload; 18] = [
    ONE,
    MANY,
    BURSTS,
    ASCII,
    CYRILLIC,
    LARGE,
    DEFLATE,
    Workload {
        name: "w6n",
        title: "1 KiB of JSON, no context takeover, 100 connections",
        offer: Offer::DeflateWithoutTakeover,
        ..DEFLATE
    },
    Workload {
        name: "w7",
        title: "handshakes: connect, upgrade, close",
        action: Action::Handshake,
        ..ONE
    },
    BROADCAST,
    Workload {
        name: "w9-1000",
        title: "64 B from one connection to 1,000",
        connections: 1000,
        ..BROADCAST
    },
    Workload {
        name: "w9-10000",
        title: "64 B from one connection to 10,000",
        connections: 10_000,
        ..BROADCAST
    },
    Workload {
        name: "c1",
        title: "clients, 64 B, 1 connection, one message at a time",
        action: Action::Client,
        ..ONE
    },
    Workload {
        name: "c2",
        title: "clients, 64 B, 100 connections, one message at a time each",
        action: Action::Client,
        ..MANY
    },
    Workload {
        name: "c3",
        title: "clients, 64 B, 10 connections, bursts of 64",
        action: Action::Client,
        ..BURSTS
    },
    Workload {
        name: "c4a",
        title: "clients, 16 KiB of ASCII text, 10 connections",
        action: Action::Client,
        ..ASCII
    },
    Workload {
        name: "c4c",
        title: "clients, 16 KiB of Cyrillic text, 10 connections",
        action: Action::Client,
        ..CYRILLIC
    },
    Workload {
        name: "c5",
        title: "clients, 1 MiB, 2 connections",
        action: Action::Client,
        ..LARGE
    },
];

const ONE: Workload = Workload {
    name: "w1",
    title: "64 B, 1 connection, one message at a time",
    connections: 1,
    burst: 1,
    content: Content { kind: Kind::Binary, len: 64 },
    offer: Offer::Nothing,
    action: Action::Echo,
    http: Http::One,
};

const MANY: Workload = Workload {
    name: "w2",
    title: "64 B, 100 connections, one message at a time each",
    connections: 100,
    ..ONE
};

const BURSTS: Workload = Workload {
    name: "w3",
    title: "64 B, 10 connections, bursts of 64",
    connections: 10,
    burst: 64,
    ..ONE
};

const ASCII: Workload = Workload {
    name: "w4a",
    title: "16 KiB of ASCII text, 10 connections",
    connections: 10,
    content: Content { kind: Kind::Ascii, len: 16 << 10 },
    ..ONE
};

const CYRILLIC: Workload = Workload {
    name: "w4c",
    title: "16 KiB of Cyrillic text, 10 connections",
    content: Content { kind: Kind::Cyrillic, len: 16 << 10 },
    ..ASCII
};

const LARGE: Workload = Workload {
    name: "w5",
    title: "1 MiB, 2 connections",
    connections: 2,
    content: Content { kind: Kind::Binary, len: 1 << 20 },
    ..ONE
};

const BROADCAST: Workload = Workload {
    name: "w9-100",
    title: "64 B from one connection to 100",
    connections: 100,
    action: Action::Broadcast,
    ..ONE
};

const DEFLATE: Workload = Workload {
    name: "w6",
    title: "1 KiB of JSON, context takeover, 100 connections",
    connections: 100,
    content: Content { kind: Kind::Json, len: 1 << 10 },
    offer: Offer::Deflate,
    ..ONE
};

/// Returns the workloads of WebSockets over HTTP/2: those of an echo without compression.
pub(crate) fn over_http2() -> Vec<Workload> {
    let echoes = WORKLOADS
        .into_iter()
        .filter(|workload| workload.action == Action::Echo && workload.offer == Offer::Nothing);
    echoes.map(|workload| Workload { http: Http::Two, ..workload }).collect()
}

impl Workload {
    /// Returns the mode in which the server is started.
    pub(crate) fn mode(&self) -> Mode {
        match (self.action, self.offer) {
            (Action::Broadcast, _) => Mode::Broadcast,
            (_, Offer::Nothing) => Mode::Echo,
            (_, Offer::Deflate | Offer::DeflateWithoutTakeover) => Mode::Deflate,
        }
    }
}
