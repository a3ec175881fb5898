//! Deflate bombs: a few bytes that inflate to a very large amount of data (fault FT-22). A bomb takes at most
//! the memory of the message limit and of one decompression context.
//!
//! This is a separate test binary because its allocator counts the memory of all threads together. The
//! allocator can grow a buffer in place, like the system's allocator. The command `cargo test --package
//! fullduplex-proto --test bombs -- --nocapture` prints the figures.

mod support;

use std::alloc::System;

use bytes::BytesMut;
use fullduplex_proto::{
    Connection, ContextParams, ContextTakeover, DeflateConfig, Delivery, Limits, Received, Role,
    Violation, WindowBits,
};
use peakmem_alloc::{PeakMemAlloc, PeakMemAllocTrait};
use support::*;
use zlib_rs::DeflateFlush;

#[global_allocator]
static HEAP: PeakMemAlloc<System> = PeakMemAlloc::system();

const RSV1: u8 = 0b100;
const MIB: usize = 1 << 20;
const SIZE: usize = 256 * MIB;

/// How many bytes arrive at the same time.
const PIECE: usize = 500;

/// How the bomb is framed.
#[derive(Debug, Clone, Copy)]
enum Packing {
    OneFrame,
    FragmentsOfOneByte,
}

#[test]
fn a_bomb_is_refused_at_the_message_limit() {
    let bomb = deflated_zeros();
    for packing in [Packing::OneFrame, Packing::FragmentsOfOneByte] {
        let wire = pack(&bomb, packing);
        for takeover in [ContextTakeover::Yes, ContextTakeover::No] {
            for limit in [1000, MIB, Limits::default().message_bytes] {
                on_one_connection(&wire, packing, takeover, limit);
            }
        }
    }
    let wire = pack(&bomb, Packing::OneFrame);
    in_parts(&wire);
    in_parallel(&wire);
}

/// Compresses 256 MiB of zeros.
fn deflated_zeros() -> Vec<u8> {
    let mut stream = zlib_rs::Deflate::new(9, false, 15);
    let (zeros, mut out) = (vec![0; MIB], vec![0; MIB]);
    let deflate = |stream: &mut zlib_rs::Deflate, data: &[u8], out: &mut [u8], flush| {
        let made = stream.total_out() as usize;
        stream.compress(data, &mut out[made..], flush).expect("the output fits");
    };
    for _ in 0..SIZE / MIB {
        deflate(&mut stream, &zeros, &mut out, DeflateFlush::NoFlush);
    }
    deflate(&mut stream, &[], &mut out, DeflateFlush::SyncFlush);
    // RFC7692-7.2.1-3
    out.truncate(stream.total_out() as usize - 4);
    assert!(out.len() < SIZE / 1000);
    out
}

fn pack(bomb: &[u8], packing: Packing) -> Vec<u8> {
    let first = Frame { reserved: RSV1, ..frame(BINARY, "") };
    match packing {
        Packing::OneFrame => Frame { payload: bomb.to_vec(), ..first }.bytes(),
        Packing::FragmentsOfOneByte => {
            let fragment = |byte| frame(CONTINUATION, [byte]).unfinished().bytes();
            let fragments = bomb.iter().flat_map(|byte| fragment(*byte));
            first.unfinished().bytes().into_iter().chain(fragments).collect()
        }
    }
}

/// A connection that reads a bomb, with the input buffer of its driver.
struct Victim {
    connection: Connection,
    input: BytesMut,
    limit: usize,
    /// How many bytes were delivered in parts.
    delivered: usize,
}

impl Victim {
    /// Creates a client that has read a first message. With context takeover, it keeps the window of that
    /// message.
    fn new(takeover: ContextTakeover, limit: usize) -> Self {
        let mut limits = Limits::default();
        limits.message_bytes = limit;
        let context = ContextParams { window_bits: WindowBits::MAX, takeover };
        let mut agreed = DeflateConfig::default();
        (agreed.client, agreed.server) = (context, context);
        let mut connection = limited(Role::Client, limits).with_deflate(agreed);
        let hello = Frame { reserved: RSV1, ..frame(TEXT, b"\xf2\x48\xcd\xc9\xc9\x07\x00") };
        assert_eq!(events(&mut connection, &hello.bytes()).len(), 1);
        Self { connection, input: BytesMut::new(), limit, delivered: 0 }
    }

    /// Reads the next bytes, and returns whether they were refused.
    fn refuses(&mut self, piece: &[u8]) -> bool {
        let (events, violation) = read(&mut self.connection, &mut self.input, piece);
        for event in events {
            let Received::Part(part) = event else { panic!("unexpected event: {event:?}") };
            self.delivered += part.content.len();
        }
        assert!(matches!(violation, None | Some(Violation::MessageTooBig { .. })), "{violation:?}");
        assert!(self.delivered <= self.limit);
        violation.is_some()
    }

    /// Reads until the bomb is refused. Returns how many bytes were read.
    fn read_until_refused(&mut self, wire: &[u8]) -> usize {
        let refused = wire.chunks(PIECE).position(|piece| self.refuses(piece));
        assert_eq!(sent(&mut self.connection)[0].close_code(), Some(1009));
        (refused.expect("the bomb is refused") + 1) * PIECE
    }
}

/// Returns the result of `attack`, and the peak of the heap in bytes.
fn peak<T>(attack: impl FnOnce() -> T) -> (T, usize) {
    HEAP.reset_peak_memory();
    let result = attack();
    (result, HEAP.get_peak_memory())
}

fn on_one_connection(wire: &[u8], packing: Packing, takeover: ContextTakeover, limit: usize) {
    let (bytes, peak) = peak(|| Victim::new(takeover, limit).read_until_refused(wire));
    show(format!("limit {limit}, {packing:?}, takeover {takeover:?}"), bytes, peak);
    assert!(peak <= limit + MIB);
    // Each byte inflates to about a thousand bytes. In a separate frame, it takes three bytes on the wire.
    assert!(bytes <= 3 * (limit / 1000) + 4 * PIECE);
}

/// The limit applies to all parts of a message together. At most one part is held at a time.
fn in_parts(wire: &[u8]) {
    let limit = Limits::default().message_bytes;
    let (bytes, peak) = peak(|| {
        let mut victim = Victim::new(ContextTakeover::Yes, limit);
        victim.connection.set_delivery(Delivery::Parts);
        victim.read_until_refused(wire)
    });
    show(format!("limit {limit}, delivered in parts"), bytes, peak);
    assert!(peak <= MIB);
}

/// A hundred connections at the same time take at most a hundred times the memory.
fn in_parallel(wire: &[u8]) {
    const COUNT: usize = 100;
    let (bytes, peak) = peak(|| {
        let mut victims = Vec::new();
        victims.resize_with(COUNT, || Victim::new(ContextTakeover::Yes, MIB));
        let mut bytes = 0;
        for piece in wire.chunks(PIECE) {
            bytes += PIECE * victims.len();
            victims.retain_mut(|victim| !victim.refuses(piece));
        }
        assert!(victims.is_empty());
        bytes
    });
    show(format!("limit {MIB}, {COUNT} connections at once"), bytes, peak);
    assert!(peak <= COUNT * 2 * MIB);
}

#[expect(clippy::print_stdout, reason = "the figures are part of the result")]
fn show(attack: String, bytes: usize, peak: usize) {
    println!("FT-22  {attack:<56}  refused after {bytes} bytes, peak {peak}");
}
