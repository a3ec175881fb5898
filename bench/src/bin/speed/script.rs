use fullduplex_bench::client::{self, BINARY, TEXT};

use crate::workload::Workload;

/// What one connection sends, over and over, and what has to come back.
#[derive(Debug)]
pub(crate) struct Script {
    /// The frames, one behind the other.
    pub(crate) frames: Vec<u8>,
    /// One for each of them.
    pub(crate) replies: Vec<Reply>,
}

/// A message that has to come back.
#[derive(Debug)]
pub(crate) struct Reply {
    /// The first byte of its frame.
    pub(crate) first: u8,
    pub(crate) payload: Vec<u8>,
}

impl Script {
    /// What the connection with this number sends. A raw server sends back the bytes of the frames as
    /// they are, masked.
    pub(crate) fn new(workload: &Workload, connection: usize, is_raw: bool) -> Self {
        let mut script = Self { frames: Vec::new(), replies: Vec::new() };
        let first = if workload.content.is_text() { TEXT } else { BINARY };
        for message in 0..workload.burst {
            let payload = workload.content.make(connection * workload.burst + message);
            let frame = client::frame(first, &payload);
            let reply =
                if is_raw { frame[frame.len() - payload.len()..].to_vec() } else { payload };
            script.replies.push(Reply { first, payload: reply });
            script.frames.extend(frame);
        }
        script
    }
}
