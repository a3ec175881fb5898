//! Invalid compressed data (RFC 1951), and valid data in unusual forms.

use std::thread;

use allocation_counter::measure;
use fullduplex_proto::{Connection, DeflateConfig, Limits, Received, Role, Violation};

use crate::{Victim, filled, show};

use crate::support::*;

const RSV1: u8 = 0b100;

fn deflating() -> Connection {
    let mut limits = Limits::default();
    limits.message_bytes = 1 << 20;
    limited(Role::Client, limits).with_deflate(DeflateConfig::default())
}

fn compressed(data: &[u8]) -> Frame {
    Frame { reserved: RSV1, ..frame(BINARY, data) }
}

/// Returns the result of a compressed message that arrives in pieces of `size` bytes.
fn outcome(data: &[u8], size: usize) -> Result<Received, Violation> {
    let mut victim = Victim::new(deflating());
    let wire = [compressed(data).bytes(), frame(PONG, "next").bytes()].concat();
    for piece in wire.chunks(size) {
        victim.input.extend_from_slice(piece);
        if let Some(event) = victim.next_event()? {
            return Ok(event);
        }
    }
    panic!("{data:x?}: neither a message nor a violation");
}

/// Writes data bit by bit (RFC 1951 section 3.1.1).
#[derive(Default)]
struct Bits(Vec<bool>);

impl Bits {
    /// Begins a block with fixed codes (RFC 1951 section 3.2.6).
    fn fixed() -> Self {
        Self::default().number(0, 1).number(1, 2)
    }

    /// Begins a block with dynamic codes (RFC 1951 section 3.2.7): the numbers of literal and distance
    /// codes, and the lengths of the code-length codes in their special order.
    fn dynamic(literals: usize, distances: usize, lengths: &[usize]) -> Self {
        let block = Self::default().number(0, 1).number(2, 2).number(literals - 257, 5);
        let block = block.number(distances - 1, 5).number(lengths.len() - 4, 4);
        lengths.iter().fold(block, |block, length| block.number(*length, 3))
    }

    /// Appends a number, lowest bit first.
    fn number(mut self, value: usize, count: usize) -> Self {
        self.0.extend((0..count).map(|bit| value >> bit & 1 == 1));
        self
    }

    /// Appends Huffman codes, in the order in which they are read.
    fn code(mut self, bits: &str) -> Self {
        self.0.extend(bits.bytes().map(|bit| bit == b'1'));
        self
    }

    fn zeros(mut self, count: usize) -> Self {
        self.0.resize(self.0.len() + count, false);
        self
    }

    /// Returns the bytes of a message that ends here. They end with the beginning of an empty block. The tail
    /// is the rest of that block (RFC7692-7.2.1-3).
    fn bytes(&self) -> Vec<u8> {
        let bits = [&self.0[..], &[false; 3]].concat();
        let byte =
            |bits: &[bool]| bits.iter().rev().fold(0, |byte, bit| byte << 1 | u8::from(*bit));
        bits.chunks(8).map(byte).collect()
    }
}

/// The end of a block with fixed codes.
const END_OF_FIXED: &str = "0000000";
/// Code-length codes in which `0` stands for the length 0 and `1` for the length 1.
const LENGTHS_0_AND_1: [usize; 18] = [0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
/// Code-length codes in which `0` stands for the length 0 and `1` for the length 2.
const LENGTHS_0_AND_2: [usize; 16] = [0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
/// Code-length codes in which `0` stands for the length 0, and `1` for a run of lengths 0. The number of
/// these lengths is 11 plus the number in the next 7 bits.
const LENGTHS_0_AND_MANY: [usize; 4] = [0, 0, 1, 1];
/// Code-length codes in which `1` repeats the previous length. The number of repetitions is 3 plus the number
/// in the next two bits.
const LENGTHS_0_AND_AGAIN: [usize; 4] = [1, 0, 0, 1];

/// Begins a block with two literal codes, for the byte 0 and for the end of the block, and no distance code.
fn two_codes(literals: usize, distances: usize) -> Bits {
    let block = Bits::dynamic(literals, distances, &LENGTHS_0_AND_1).code("1").zeros(255).code("1");
    block.zeros(literals - 257 + distances)
}

/// Creates a block that contains an `a` and a repetition of three bytes with this distance code.
fn repetition(distance: &str) -> Bits {
    Bits::fixed().code("10010001").code("0000001").code(distance).code(END_OF_FIXED)
}

/// Valid blocks, which show that [`Bits`] writes data correctly.
fn valid_blocks() -> Vec<(&'static [u8], Bits)> {
    vec![
        (b"\0\0", two_codes(286, 30).code("001")),
        (b"aaaa", repetition("00000")),
        (b"a", Bits::fixed().code("10010001").code(END_OF_FIXED)),
    ]
}

/// Blocks that violate RFC 1951, except for those in `deflate.rs`.
fn invalid_blocks() -> Vec<(&'static str, Bits)> {
    let many = |block: Bits, count: usize| block.code("1").number(count - 11, 7);
    let zeros_138 = || many(Bits::dynamic(257, 1, &LENGTHS_0_AND_MANY), 138);
    vec![
        ("287 literal codes", two_codes(287, 1).code("001")),
        ("31 distance codes", two_codes(257, 31).code("001")),
        ("too many code-length codes", Bits::dynamic(257, 1, &[1; 19])),
        ("too few code-length codes", Bits::dynamic(257, 1, &[1, 0, 0, 0])),
        (
            "a repetition without a length before it",
            Bits::dynamic(257, 1, &LENGTHS_0_AND_AGAIN).code("1"),
        ),
        ("a repetition beyond the last code", many(zeros_138(), 121)),
        ("no code for the end of the block", many(zeros_138(), 120)),
        (
            "too many literal codes",
            Bits::dynamic(257, 1, &LENGTHS_0_AND_1).code(&"1".repeat(257)).code("0"),
        ),
        (
            "too few literal codes",
            Bits::dynamic(257, 1, &LENGTHS_0_AND_2).code("1").zeros(255).code("1").code("0"),
        ),
        (
            "too many distance codes",
            Bits::dynamic(257, 3, &LENGTHS_0_AND_1).code("1").zeros(255).code("1").code("111"),
        ),
        ("the literal 286", Bits::fixed().code("11000110").code(END_OF_FIXED)),
        ("the literal 287", Bits::fixed().code("11000111").code(END_OF_FIXED)),
        ("the distance code 30", repetition("11110")),
        ("the distance code 31", repetition("11111")),
        ("a distance of two after one byte", repetition("00001")),
    ]
}

/// Fault FT-23: each block is refused with 1007, and the memory of decompression is freed.
#[test]
fn corrupt_blocks_are_refused_and_free_their_memory() {
    for (content, bits) in valid_blocks() {
        assert_eq!(outcome(&bits.bytes(), 1), Ok(Received::Message(content.into())));
    }
    let invalid_blocks = invalid_blocks();
    for (what, bits) in &invalid_blocks {
        for size in [1, usize::MAX] {
            assert_eq!(outcome(&bits.bytes(), size), Err(Violation::CorruptDeflate), "{what}");
        }
        let mut victim = Victim::new(deflating());
        let wire = compressed(&bits.bytes()).bytes();
        let cost = measure(|| assert!(victim.read(&wire).is_err()));
        assert!(cost.bytes_current < 4 << 10, "{what}: {} bytes are kept", cost.bytes_current);
        assert_eq!(sent(&mut victim.connection)[0].close_code(), Some(1007));
    }
    show(
        "FT-23",
        "blocks that violate RFC 1951",
        format!("{} of them: 1007", invalid_blocks.len()),
    );
}

/// Fault FT-23: data with a flipped bit inflates to another message or fails with 1007. The result is the
/// same at every chunk size. Truncated data always fails, unless it is empty (FC-15).
#[test]
fn flipped_bits_and_truncation_have_the_same_result_at_every_chunk_size() {
    let text = (0..40).map(|i| format!("{} bottles of beer, ", i * i % 97)).collect::<String>();
    let mut server = connection(Role::Server).with_deflate(DeflateConfig::default());
    server.send(text.as_str()).unwrap();
    let data = sent(&mut server).remove(0).payload;
    let (mut messages, mut refused) = (0, 0);
    for bit in 0..data.len() * 8 {
        let mut flipped = data.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        let whole = outcome(&flipped, usize::MAX);
        assert_eq!(outcome(&flipped, 1), whole, "bit {bit}");
        match whole {
            Ok(Received::Message(_)) => messages += 1,
            Err(Violation::CorruptDeflate) => refused += 1,
            other => panic!("bit {bit}: {other:?}"),
        }
    }
    let verdicts = format!("{refused} refused, {messages} other messages");
    show("FT-23", format!("each bit flipped of {} bytes", data.len()), verdicts);
    for length in 1..data.len() {
        for size in [1, usize::MAX] {
            let cut = outcome(&data[..length], size);
            assert_eq!(cut, Err(Violation::CorruptDeflate), "cut after {length} bytes");
        }
    }
}

/// A message may continue after a final block (RFC7692-7.2.1-1). Any number of final blocks uses the same
/// memory.
#[test]
fn final_blocks_take_no_further_memory() {
    const STREAM: u64 = 64 << 10;
    for (what, block) in [("fixed", &b"\x03\x00"[..]), ("stored", b"\x01\x00\x00\xff\xff")] {
        let blocks = filled(block);
        let wire = compressed(&blocks).unfinished().bytes();
        let mut victim = Victim::new(deflating());
        let cost = measure(|| victim.read(&wire).unwrap());
        show(
            "FT-23",
            format!("{} empty final blocks, {what}", blocks.len() / block.len()),
            format!("{} bytes allocated in all, peak {}", cost.bytes_total, cost.bytes_max),
        );
        assert!(cost.bytes_total < 8 * STREAM, "{} bytes allocated", cost.bytes_total);
    }
}

/// Fault Z11: hundreds of thousands of blocks in one read need little stack.
#[test]
fn small_blocks_need_little_stack() {
    for (what, blocks, content) in [
        ("four empty ones, of fixed codes", &b"\x02\x08\x20\x80\x00"[..], 0),
        ("an empty one, stored", b"\x00\x00\x00\xff\xff", 0),
        ("a byte, stored", b"\x00\x01\x00\xfe\xffx", 1),
    ] {
        let data = [&blocks.repeat(100_000)[..], b"\x00"].concat();
        let inflating = move || outcome(&data, usize::MAX);
        let small_stack = thread::Builder::new().stack_size(256 << 10);
        let inflated = small_stack.spawn(inflating).unwrap().join().unwrap();
        assert_eq!(inflated, Ok(Received::Message(vec![b'x'; content * 100_000].into())));
        show("Z11", format!("100,000 times {what}"), "256 KiB of stack are enough");
    }
}
