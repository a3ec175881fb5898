use fullduplex_bench::client::{BINARY, COMPRESSED, Offer, TEXT, frame};
use fullduplex_bench::content::Kind;

use crate::deflate::compressed;
use crate::workload::{Action, Workload};

/// What one connection sends, and what has to come back. When it is over it begins anew.
#[derive(Debug)]
pub(crate) struct Script {
    pub(crate) bursts: Vec<Burst>,
}

/// What goes at once.
#[derive(Debug, Default)]
pub(crate) struct Burst {
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
    pub(crate) content: Vec<u8>,
    /// Whether it comes back compressed, in however many bytes.
    pub(crate) is_compressed: bool,
}

/// How many documents each connection sends before it begins anew: more than the window of a compressor
/// holds, which would refer to what it has seen whole otherwise.
const DOCUMENTS: usize = 40;

impl Script {
    /// What the connection with this number sends. A raw server sends back the bytes of the frames as
    /// they are, masked.
    pub(crate) fn new(workload: &Workload, connection: usize, is_raw: bool) -> Self {
        let bursts = if workload.content.kind == Kind::Json { DOCUMENTS } else { 1 };
        // All get what the first one sends.
        let connection = if workload.action == Action::Broadcast { 0 } else { connection };
        let burst = |burst| {
            let first = (connection * bursts + burst) * workload.burst;
            Burst::new(workload, first, is_raw)
        };
        Self { bursts: (0..bursts).map(burst).collect() }
    }
}

impl Burst {
    /// The messages that begin with this number.
    fn new(workload: &Workload, number: usize, is_raw: bool) -> Self {
        let mut burst = Self::default();
        let opcode = if workload.content.is_text() { TEXT } else { BINARY };
        let is_compressed = workload.offer != Offer::Nothing;
        for number in number..number + workload.burst {
            let content = workload.content.make(number);
            let (first, payload) = match is_compressed {
                true => (opcode | COMPRESSED, compressed(&content)),
                false => (opcode, content.clone()),
            };
            let frame = frame(first, &payload);
            burst.replies.push(match is_raw {
                true => Reply {
                    first,
                    content: frame[frame.len() - payload.len()..].to_vec(),
                    is_compressed: false,
                },
                false => Reply { first, content, is_compressed },
            });
            burst.frames.extend(frame);
        }
        burst
    }
}
