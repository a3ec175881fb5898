//! Peers that ignore our Close and keep sending.

use std::time::Duration;

use fullduplex_lab::script::{BINARY, CONTINUATION, FIN, PING, TEXT, frame, header, masked_frame};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::time::sleep;

use crate::connected::{End, Stream};

/// What a peer sends until the connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Peer {
    /// Pings, as fast as they are read.
    Pings,
    /// Short texts, as fast as they are read.
    Texts,
    /// Fragments of one message, as fast as they are read.
    Fragments,
    /// A large frame, a byte at a time.
    SingleBytes,
    /// Short texts, as fast as they are read. The peer reads nothing.
    TextsOfTheDeaf,
}

pub(crate) const PEERS: [Peer; 5] =
    [Peer::Pings, Peer::Texts, Peer::Fragments, Peer::SingleBytes, Peer::TextsOfTheDeaf];

/// How many frames are sent in one write.
const FRAMES: usize = 512;

impl Peer {
    /// Sends to `end` until the connection has ended.
    pub(crate) async fn talk(self, stream: Box<dyn Stream>, end: End) {
        let make = |first_byte: u8, payload: &str| match end {
            End::Server => masked_frame(first_byte, payload),
            End::Client => frame(first_byte, payload),
        };
        let (reader, mut writer) = tokio::io::split(stream);
        let reading = async {
            if self == Self::TextsOfTheDeaf {
                std::future::pending().await
            } else {
                drain(reader).await;
            }
        };
        let writing = async {
            let (first, next) = match self {
                Self::Pings => (Vec::new(), make(FIN | PING, "?").repeat(FRAMES)),
                Self::Texts | Self::TextsOfTheDeaf => {
                    (Vec::new(), make(FIN | TEXT, "!").repeat(FRAMES))
                }
                Self::Fragments => (make(TEXT, "<"), make(CONTINUATION, ".").repeat(FRAMES)),
                Self::SingleBytes => (large_header(end), vec![0]),
            };
            let mut written = writer.write_all(&first).await;
            while written.is_ok() {
                written = writer.write_all(&next).await.and(writer.flush().await);
                if self == Self::SingleBytes {
                    sleep(Duration::from_millis(5)).await;
                }
            }
        };
        tokio::select! {
            () = reading => {}
            () = writing => {}
        }
    }
}

/// Reads until the connection ends.
async fn drain(mut reader: impl AsyncRead + Unpin) {
    let mut buffer = vec![0; 64 << 10];
    while let Ok(1..) = reader.read(&mut buffer).await {}
}

/// Returns the header of a frame that does not end within the test.
fn large_header(end: End) -> Vec<u8> {
    let mut bytes = header(FIN | BINARY, 1 << 20);
    if end == End::Server {
        bytes[1] |= 0x80;
        bytes.extend([0; 4]);
    }
    bytes
}
