use fullduplex_bench::client::{BINARY, COMPRESSED, Offer, TEXT, frame};
use fullduplex_bench::content::Kind;

use crate::deflate::compressed;
use crate::workload::{Action, Workload};

/// The bursts that a connection sends, and the expected replies. After the last burst it starts
/// again.
#[derive(Debug)]
pub(crate) struct Script {
    pub(crate) bursts: Vec<Burst>,
}

/// Data that is sent at once.
#[derive(Debug, Default)]
pub(crate) struct Burst {
    /// The frames, concatenated.
    pub(crate) frames: Vec<u8>,
    /// One reply per frame.
    pub(crate) replies: Vec<Reply>,
}

/// An expected reply.
#[derive(Debug)]
pub(crate) struct Reply {
    /// The first byte of its frame.
    pub(crate) first: u8,
    pub(crate) content: Vec<u8>,
    /// Whether it is compressed. The length of a compressed reply is not known in advance.
    pub(crate) is_compressed: bool,
}

/// The number of documents that each connection sends before it starts again. Together they are
/// larger than the window of a compressor. Otherwise, the compressor could replace a whole document
/// by a reference to its earlier copy.
const DOCUMENTS: usize = 40;

impl Script {
    /// Returns the script of the connection with this number. A raw server echoes the bytes of the
    /// frames unchanged, so its replies are masked.
    pub(crate) fn new(workload: &Workload, connection: usize, is_raw: bool) -> Self {
        let bursts = if workload.content.kind == Kind::Json { DOCUMENTS } else { 1 };
        // All connections receive what the first one sends.
        let connection = if workload.action == Action::Broadcast { 0 } else { connection };
        let burst = |burst| {
            let first = (connection * bursts + burst) * workload.burst;
            Burst::new(workload, first, is_raw)
        };
        Self { bursts: (0..bursts).map(burst).collect() }
    }
}

impl Burst {
    /// Returns the burst that begins with this message number.
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
