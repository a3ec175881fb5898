use fullduplex_bench::client::Offer;

use crate::content::Content;

/// What the servers are asked to do.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Workload {
    /// How it is called in short.
    pub(crate) name: &'static str,
    /// What it is.
    pub(crate) title: &'static str,
    pub(crate) connections: usize,
    /// How many messages are sent at once. So many have to come back before the next ones go.
    pub(crate) burst: usize,
    pub(crate) content: Content,
    pub(crate) offer: Offer,
}

/// In the order in which they are shown.
pub(crate) const WORKLOADS: [Workload; 6] = [
    Workload {
        name: "w1",
        title: "64 B, 1 connection, one message at a time",
        connections: 1,
        burst: 1,
        content: Content::Binary(64),
        offer: Offer::Nothing,
    },
    Workload {
        name: "w2",
        title: "64 B, 100 connections, one message at a time each",
        connections: 100,
        burst: 1,
        content: Content::Binary(64),
        offer: Offer::Nothing,
    },
    Workload {
        name: "w3",
        title: "64 B, 10 connections, bursts of 64",
        connections: 10,
        burst: 64,
        content: Content::Binary(64),
        offer: Offer::Nothing,
    },
    Workload {
        name: "w4a",
        title: "16 KiB of ASCII text, 10 connections",
        connections: 10,
        burst: 1,
        content: Content::Ascii(16 << 10),
        offer: Offer::Nothing,
    },
    Workload {
        name: "w4c",
        title: "16 KiB of Cyrillic text, 10 connections",
        connections: 10,
        burst: 1,
        content: Content::Cyrillic(16 << 10),
        offer: Offer::Nothing,
    },
    Workload {
        name: "w5",
        title: "1 MiB, 2 connections",
        connections: 2,
        burst: 1,
        content: Content::Binary(1 << 20),
        offer: Offer::Nothing,
    },
];
