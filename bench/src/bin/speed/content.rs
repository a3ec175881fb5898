/// What messages carry, and how many bytes of it. No two are the same, and each run has the same ones.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Content {
    Binary(usize),
    Ascii(usize),
    /// Two bytes for each letter, and some spaces.
    Cyrillic(usize),
}

const ASCII: &str = "The quick brown fox jumps over the lazy dog, and the dog does not mind. ";
const CYRILLIC: &str = "Съешь ещё этих мягких французских булок, да выпей же чаю. ";

impl Content {
    pub(crate) fn is_text(self) -> bool {
        !matches!(self, Self::Binary(_))
    }

    /// The message with this number.
    pub(crate) fn make(self, number: usize) -> Vec<u8> {
        match self {
            Self::Binary(len) => binary(len, number),
            Self::Ascii(len) => repeated(ASCII, len, number),
            Self::Cyrillic(len) => repeated(CYRILLIC, len, number),
        }
    }
}

/// Each eight bytes differ from those before, so that nothing can be lost within.
fn binary(len: usize, number: usize) -> Vec<u8> {
    let mut words =
        (0_u64..).map(|word| (word << 32 | number as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let bytes = words.by_ref().flat_map(u64::to_le_bytes);
    bytes.take(len).collect()
}

/// The number, and a text over and over, filled up with dots.
fn repeated(text: &str, len: usize, number: usize) -> Vec<u8> {
    let mut all = format!("{number} ");
    let letters = text.chars().cycle().skip(number % text.len());
    for letter in letters {
        if all.len() + letter.len_utf8() > len {
            break;
        }
        all.push(letter);
    }
    let mut all = all.into_bytes();
    all.resize(len, b'.');
    all
}
