//! Compresses messages with the sending half of a server, without a network. Prints the processor time and the length of
//! a message for each level and window.

use std::fs;
use std::io;

use fullduplex_bench::content::{Content, Kind};
use fullduplex_net::proto::{
    CompressionLevel, ContextParams, ContextTakeover, DeflateConfig, Encoder, Message, WindowBits,
};

/// The connections send in turn, so that their contexts are not in the processor's cache.
const CONNECTIONS: usize = 100;

/// Each connection sends documents of this many bytes before it repeats one, so that none is in a window twice.
const DOCUMENTS: usize = 80 << 10;

const ROUNDS: usize = 40;

const CONTENTS: [(&str, Content); 3] = [
    ("1 KiB of JSON", Content { kind: Kind::Json, len: 1 << 10 }),
    ("200 bytes of JSON", Content { kind: Kind::Json, len: 200 }),
    ("16 KiB of English text", Content { kind: Kind::Ascii, len: 16 << 10 }),
];

fn main() -> io::Result<()> {
    for (title, content) in CONTENTS {
        println!("**{title}**: \u{b5}s of processor time / bytes of the frame\n");
        println!(
            "| level | takeover, 15 bits | 12 bits | 9 bits | no takeover, 15 bits | 12 bits | 9 bits |"
        );
        println!("|---|---|---|---|---|---|---|");
        let count = DOCUMENTS / content.len;
        let messages: Vec<_> = (0..count).map(|number| message(content, number)).collect();
        for level in 1..=9 {
            print!("| {level} |");
            for takeover in [ContextTakeover::Yes, ContextTakeover::No] {
                for bits in [15, 12, 9] {
                    let window_bits = WindowBits::new(bits).expect("8 to 15");
                    let context = ContextParams { window_bits, takeover };
                    let (time, len) = compress(context, level, &messages)?;
                    print!(" {time:.1} / {len:.0} |");
                }
            }
            println!();
        }
        println!();
    }
    Ok(())
}

fn message(content: Content, number: usize) -> Message {
    String::from_utf8(content.make(number)).expect("the contents are text").into()
}

/// Returns the processor time of a message in microseconds, and the length of its frame.
fn compress(context: ContextParams, level: u8, messages: &[Message]) -> io::Result<(f64, f64)> {
    let mut deflate = DeflateConfig::default();
    deflate.server = context;
    deflate.level = CompressionLevel::new(level).expect("1 to 9");
    let mut connections: Vec<_> =
        (0..CONNECTIONS).map(|_| Encoder::server().with_deflate(deflate)).collect();
    let mut send_all = |message: &Message| -> u64 {
        let send = |connection: &mut Encoder| {
            connection.send(message).expect("the connection is open");
            let len = connection.queued_bytes();
            connection.handle_written(len as usize);
            len
        };
        connections.iter_mut().map(send).sum()
    };
    // Each window gets content first.
    for message in messages {
        send_all(message);
    }
    let begun = processor_time()?;
    let bytes: u64 = messages.iter().cycle().take(ROUNDS).map(&mut send_all).sum();
    let count = (ROUNDS * CONNECTIONS) as f64;
    Ok(((processor_time()? - begun) / count, bytes as f64 / count))
}

/// Returns the processor time of this thread in microseconds.
fn processor_time() -> io::Result<f64> {
    let times = fs::read_to_string("/proc/self/schedstat")?;
    let nanoseconds: Option<f64> = times.split(' ').next().and_then(|time| time.parse().ok());
    Ok(nanoseconds.ok_or(io::ErrorKind::InvalidData)? / 1000.0)
}
