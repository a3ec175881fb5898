//! Deflate bombs: a few bytes that inflate to very many (fault FT-22). What they cost is the limit of
//! a message, and the memory of one decompression.
//!
//! Alone in its binary, for the allocator that counts knows no threads. It lets a buffer grow in place,
//! as the system's does. `cargo test --package fullduplex-proto --test bombs -- --nocapture` shows the
//! figures.

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

/// So many bytes arrive at once.
const PIECE: usize = 500;

/// How the bomb comes.
#[derive(Debug, Clone, Copy)]
enum Packing {
    OneFrame,
    FragmentsOfOneByte,
}

#[test]
fn a_bomb_costs_its_limit_and_is_not_read_to_its_end() {
    let bomb = deflated_zeros();
    for packing in [Packing::OneFrame, Packing::FragmentsOfOneByte] {
        let wire = pack(&bomb, packing);
        for takeover in [ContextTakeover::Yes, ContextTakeover::No] {
            for limit in [1000, MIB, Limits::default().message_bytes] {
                alone(&wire, packing, takeover, limit);
            }
        }
    }
    let wire = pack(&bomb, Packing::OneFrame);
    in_parts(&wire);
    in_parallel(&wire);
}

/// 256 MiB of zeros.
fn deflated_zeros() -> Vec<u8> {
    let mut stream = zlib_rs::Deflate::new(9, false, 15);
    let (zeros, mut out) = (vec![0; MIB], vec![0; MIB]);
    let deflate = |stream: &mut zlib_rs::Deflate, data: &[u8], out: &mut [u8], flush| {
        let made = stream.total_out() as usize;
        stream.compress(data, &mut out[made..], flush).expect("there is room");
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

/// An end that reads a bomb, and whatever the driver would hold for it.
struct Victim {
    connection: Connection,
    input: BytesMut,
    limit: usize,
    /// Bytes that were delivered in parts.
    delivered: usize,
}

impl Victim {
    /// A client, behind a first message, whose window it may have to keep.
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
            let Received::Part(part) = event else { panic!("{event:?} of a bomb") };
            self.delivered += part.content.len();
        }
        assert!(matches!(violation, None | Some(Violation::MessageTooBig { .. })), "{violation:?}");
        assert!(self.delivered <= self.limit);
        violation.is_some()
    }

    /// Reads until it is refused: how many bytes that took.
    fn read_until_refused(&mut self, wire: &[u8]) -> usize {
        let refused = wire.chunks(PIECE).position(|piece| self.refuses(piece));
        assert_eq!(sent(&mut self.connection)[0].close_code(), Some(1009));
        (refused.expect("the bomb is refused") + 1) * PIECE
    }
}

/// The most bytes of the heap that `attack` held at once.
fn peak<T>(attack: impl FnOnce() -> T) -> (T, usize) {
    HEAP.reset_peak_memory();
    let result = attack();
    (result, HEAP.get_peak_memory())
}

fn alone(wire: &[u8], packing: Packing, takeover: ContextTakeover, limit: usize) {
    let (bytes, peak) = peak(|| Victim::new(takeover, limit).read_until_refused(wire));
    show(format!("limit {limit}, {packing:?}, takeover {takeover:?}"), bytes, peak);
    assert!(peak <= limit + MIB);
    // A byte inflates to a thousand, and takes three on the wire if it is a frame of its own.
    assert!(bytes <= 3 * (limit / 1000) + 4 * PIECE);
}

/// The limit holds for all parts of a message together, of which no more than one is held.
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

/// A hundred at the same time: what the limit does not say of one, it does not say of all.
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

#[expect(clippy::print_stdout, reason = "the figures are half of what this test is for")]
fn show(attack: String, bytes: usize, peak: usize) {
    println!("FT-22  {attack:<56}  refused after {bytes} bytes, peak {peak}");
}
