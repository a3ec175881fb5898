//! What is no deflated data (RFC 1951), and what is, in a form that nobody sends.

use std::thread;

use allocation_counter::measure;
use fullduplex_proto::{Connection, DeflateConfig, Limits, Received, Role, Violation};

use crate::support::*;
use crate::{Victim, filled, show};

const RSV1: u8 = 0b100;

fn deflating() -> Connection {
    let mut limits = Limits::default();
    limits.message_bytes = 1 << 20;
    limited(Role::Client, limits).with_deflate(DeflateConfig::default())
}

fn compressed(data: &[u8]) -> Frame {
    Frame { reserved: RSV1, ..frame(BINARY, data) }
}

/// What comes of a compressed message that arrives in pieces of `size`.
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

/// Data written bit by bit (RFC 1951 section 3.1.1).
#[derive(Default)]
struct Bits(Vec<bool>);

impl Bits {
    /// A block with the codes of RFC 1951 section 3.2.6.
    fn fixed() -> Self {
        Self::default().number(0, 1).number(1, 2)
    }

    /// A block that describes so many codes itself, with these lengths for the lengths of codes, in
    /// their peculiar order (RFC 1951 section 3.2.7).
    fn dynamic(literals: usize, distances: usize, lengths: &[usize]) -> Self {
        let block = Self::default().number(0, 1).number(2, 2).number(literals - 257, 5);
        let block = block.number(distances - 1, 5).number(lengths.len() - 4, 4);
        lengths.iter().fold(block, |block, length| block.number(*length, 3))
    }

    /// A number, its lowest bit first.
    fn number(mut self, value: usize, count: usize) -> Self {
        self.0.extend((0..count).map(|bit| value >> bit & 1 == 1));
        self
    }

    /// Codes, as they are read.
    fn code(mut self, bits: &str) -> Self {
        self.0.extend(bits.bytes().map(|bit| bit == b'1'));
        self
    }

    fn zeros(mut self, count: usize) -> Self {
        self.0.resize(self.0.len() + count, false);
        self
    }

    /// The bytes of a message that ends here: with the beginning of the empty block whose rest is
    /// left out (RFC7692-7.2.1-3).
    fn bytes(&self) -> Vec<u8> {
        let bits = [&self.0[..], &[false; 3]].concat();
        let byte =
            |bits: &[bool]| bits.iter().rev().fold(0, |byte, bit| byte << 1 | u8::from(*bit));
        bits.chunks(8).map(byte).collect()
    }
}

/// The end of a block with the codes of RFC 1951 section 3.2.6.
const END_OF_FIXED: &str = "0000000";
/// Lengths of codes that make `0` mean a code of no length and `1` one of length 1.
const LENGTHS_0_AND_1: [usize; 18] = [0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
/// The same for the length 2.
const LENGTHS_0_AND_2: [usize; 16] = [0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
/// `0` means a code of no length, `1` many of them: as many as the next 7 bits say, and 11.
const LENGTHS_0_AND_MANY: [usize; 4] = [0, 0, 1, 1];
/// `1` means the length before once more, 3 times and as often as the next two bits say.
const LENGTHS_0_AND_AGAIN: [usize; 4] = [1, 0, 0, 1];

/// A block that describes two literal codes, `0` and the end of the block, and no distance.
fn two_codes(literals: usize, distances: usize) -> Bits {
    let block = Bits::dynamic(literals, distances, &LENGTHS_0_AND_1).code("1").zeros(255).code("1");
    block.zeros(literals - 257 + distances)
}

/// An `a`, and a repetition of three bytes with this distance code.
fn repetition(distance: &str) -> Bits {
    Bits::fixed().code("10010001").code("0000001").code(distance).code(END_OF_FIXED)
}

/// What contradicts nothing, so that the fault below is in the data and not in how it is written.
fn agreements() -> Vec<(&'static [u8], Bits)> {
    vec![
        (b"\0\0", two_codes(286, 30).code("001")),
        (b"aaaa", repetition("00000")),
        (b"a", Bits::fixed().code("10010001").code(END_OF_FIXED)),
    ]
}

/// Each way in which a block contradicts RFC 1951, but for those that `deflate.rs` has.
fn contradictions() -> Vec<(&'static str, Bits)> {
    let many = |block: Bits, count: usize| block.code("1").number(count - 11, 7);
    let zeros_138 = || many(Bits::dynamic(257, 1, &LENGTHS_0_AND_MANY), 138);
    vec![
        ("287 literal codes", two_codes(287, 1).code("001")),
        ("31 distance codes", two_codes(257, 31).code("001")),
        ("too many codes of lengths", Bits::dynamic(257, 1, &[1; 19])),
        ("too few codes of lengths", Bits::dynamic(257, 1, &[1, 0, 0, 0])),
        ("a repetition of nothing", Bits::dynamic(257, 1, &LENGTHS_0_AND_AGAIN).code("1")),
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
        ("a distance of two behind one byte", repetition("00001")),
    ]
}

/// Fault FT-23: refused with 1007, and then nothing is kept to decompress with.
#[test]
fn corrupt_blocks_are_refused_and_nothing_is_kept() {
    for (content, bits) in agreements() {
        assert_eq!(outcome(&bits.bytes(), 1), Ok(Received::Message(content.into())));
    }
    let contradictions = contradictions();
    for (what, bits) in &contradictions {
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
        "blocks that contradict RFC 1951",
        format!("{} of them: 1007", contradictions.len()),
    );
}

/// Fault FT-23: a flipped bit makes another message or 1007, the same however it arrives; a cut is
/// always seen.
#[test]
fn any_flipped_bit_and_any_cut_has_one_verdict() {
    let text = (0..40).map(|i| format!("{} bottles of beer, ", i * i % 97)).collect::<String>();
    let mut sender = connection(Role::Server).with_deflate(DeflateConfig::default());
    sender.send(text.as_str()).unwrap();
    let data = sent(&mut sender).remove(0).payload;
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
    for length in 0..data.len() {
        for size in [1, usize::MAX] {
            let cut = outcome(&data[..length], size);
            assert_eq!(cut, Err(Violation::CorruptDeflate), "cut after {length} bytes");
        }
    }
}

/// A block may call itself the last one, and the message goes on (RFC7692-7.2.1-1): in the same memory,
/// however often that is.
#[test]
fn blocks_that_call_themselves_the_last_take_no_memory() {
    const STREAM: u64 = 64 << 10;
    for (what, block) in [("fixed", &b"\x03\x00"[..]), ("stored", b"\x01\x00\x00\xff\xff")] {
        let blocks = filled(block);
        let wire = compressed(&blocks).unfinished().bytes();
        let mut victim = Victim::new(deflating());
        let cost = measure(|| victim.read(&wire).unwrap());
        show(
            "FT-23",
            format!("{} empty last blocks, {what}", blocks.len() / block.len()),
            format!("{} bytes allocated in all, peak {}", cost.bytes_total, cost.bytes_max),
        );
        assert!(cost.bytes_total < 8 * STREAM, "{} bytes allocated", cost.bytes_total);
    }
}

/// Fault Z11: hundreds of thousands of blocks in one read take no depth of the stack.
#[test]
fn small_blocks_take_no_stack() {
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
