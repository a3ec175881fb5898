//! A slow inflater that was written from RFC 1951 alone. It also returns the largest distance in the data. It
//! panics on invalid data.

/// Inflates data that ends with a complete block, appends the result to `out`, and returns the largest
/// distance.
pub(crate) fn inflate(data: &[u8], out: &mut Vec<u8>) -> usize {
    let mut bits = Bits { data, position: 0 };
    let mut farthest = 0;
    while bits.position < data.len() * 8 {
        let _last = bits.take(1);
        match bits.take(2) {
            0 => stored(&mut bits, out),
            1 => {
                // RFC 1951 section 3.2.6
                let lengths = [[8; 144].as_slice(), &[9; 112], &[7; 24], &[8; 8]].concat();
                farthest =
                    farthest.max(block(&mut bits, out, &Code::new(&lengths), &Code::new(&[5; 30])));
            }
            2 => {
                let (literals, distances) = dynamic(&mut bits);
                farthest = farthest.max(block(&mut bits, out, &literals, &distances));
            }
            _ => panic!("a reserved block type"),
        }
    }
    farthest
}

struct Bits<'a> {
    data: &'a [u8],
    position: usize,
}

impl Bits<'_> {
    fn take(&mut self, count: usize) -> usize {
        (0..count).fold(0, |value, index| {
            let bit = self.data[self.position / 8] >> (self.position % 8) & 1;
            self.position += 1;
            value | usize::from(bit) << index
        })
    }
}

/// A Huffman code: the symbols of each code length, in order (RFC 1951 section 3.2.2).
struct Code(Vec<Vec<usize>>);

impl Code {
    fn new(lengths: &[u8]) -> Self {
        let of_length = |length: u8| {
            let symbols = lengths.iter().enumerate().filter(|(_, of)| **of == length);
            symbols.map(|(symbol, _)| symbol).collect()
        };
        Self((1..=15).map(of_length).collect())
    }

    fn next(&self, bits: &mut Bits<'_>) -> usize {
        let (mut code, mut first) = (0, 0);
        for symbols in &self.0 {
            code = code << 1 | bits.take(1);
            first <<= 1;
            if code - first < symbols.len() {
                return symbols[code - first];
            }
            first += symbols.len();
        }
        panic!("no symbol has this code")
    }
}

fn stored(bits: &mut Bits<'_>, out: &mut Vec<u8>) {
    bits.position = bits.position.next_multiple_of(8);
    let (length, complement) = (bits.take(16), bits.take(16));
    assert_eq!(length ^ complement, 0xFFFF);
    (0..length).for_each(|_| out.push(bits.take(8) as u8));
}

/// RFC 1951 section 3.2.7.
fn dynamic(bits: &mut Bits<'_>) -> (Code, Code) {
    const ORDER: [usize; 19] = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];
    let (literals, distances, lengths) = (bits.take(5) + 257, bits.take(5) + 1, bits.take(4) + 4);
    let mut of_lengths = [0; 19];
    ORDER[..lengths].iter().for_each(|&symbol| of_lengths[symbol] = bits.take(3) as u8);
    let code = Code::new(&of_lengths);
    let mut all: Vec<u8> = Vec::new();
    while all.len() < literals + distances {
        let (length, times) = match code.next(bits) {
            16 => (all[all.len() - 1], 3 + bits.take(2)),
            17 => (0, 3 + bits.take(3)),
            18 => (0, 11 + bits.take(7)),
            length => (length as u8, 1),
        };
        all.extend(std::iter::repeat_n(length, times));
    }
    assert_eq!(all.len(), literals + distances);
    (Code::new(&all[..literals]), Code::new(&all[literals..]))
}

/// RFC 1951 section 3.2.5.
fn block(bits: &mut Bits<'_>, out: &mut Vec<u8>, literals: &Code, distances: &Code) -> usize {
    let mut farthest = 0;
    loop {
        let length = match literals.next(bits) {
            literal @ 0..=255 => {
                out.push(literal as u8);
                continue;
            }
            256 => return farthest,
            symbol @ 257..=264 => symbol - 254,
            285 => 258,
            symbol => {
                let extra = (symbol - 261) / 4;
                ((4 + (symbol - 265) % 4) << extra) + 3 + bits.take(extra)
            }
        };
        let distance = match distances.next(bits) {
            symbol @ 0..=3 => symbol + 1,
            symbol => {
                let extra = symbol / 2 - 1;
                ((2 + symbol % 2) << extra) + 1 + bits.take(extra)
            }
        };
        assert!(distance <= out.len(), "a distance before the beginning");
        farthest = farthest.max(distance);
        (0..length).for_each(|_| out.push(out[out.len() - distance]));
    }
}
