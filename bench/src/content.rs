use std::fmt;
use std::str::FromStr;

/// The kind and the length of the messages' content. All messages of a run differ, and each run
/// uses the same messages.
#[derive(Debug, Clone, Copy)]
pub struct Content {
    /// The kind.
    pub kind: Kind,
    /// The length in bytes.
    pub len: usize,
}

/// A kind of content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Random bytes.
    Binary,
    /// English text.
    Ascii,
    /// Cyrillic text: two bytes for each letter, and some spaces.
    Cyrillic,
    /// JSON objects with the same members and different values.
    Json,
}

const NAMES: [(&str, Kind); 4] = [
    ("binary", Kind::Binary),
    ("ascii", Kind::Ascii),
    ("cyrillic", Kind::Cyrillic),
    ("json", Kind::Json),
];

const ASCII: &str = "The quick brown fox jumps over the lazy dog, and the dog does not mind. ";
const CYRILLIC: &str = "Съешь ещё этих мягких французских булок, да выпей же чаю. ";

const PEOPLE: [&str; 8] = ["Ada", "Boris", "Chiara", "Dmitri", "Elif", "Farid", "Grace", "Hana"];
const PLACES: [&str; 8] =
    ["Antwerp", "Bergen", "Cusco", "Dakar", "Edessa", "Fukuoka", "Gdansk", "Havana"];
const STATES: [&str; 4] = ["queued", "accepted", "on its way", "delivered"];

impl Content {
    /// Returns whether it is text.
    pub fn is_text(self) -> bool {
        self.kind != Kind::Binary
    }

    /// Returns the message with this number.
    pub fn make(self, number: usize) -> Vec<u8> {
        match self.kind {
            Kind::Binary => binary(self.len, number),
            Kind::Ascii => repeated(ASCII, self.len, number),
            Kind::Cyrillic => repeated(CYRILLIC, self.len, number),
            Kind::Json => json(self.len, number),
        }
    }
}

impl fmt::Display for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = NAMES.iter().find(|(_, kind)| *kind == self.kind).map(|(name, _)| *name);
        write!(f, "{}:{}", name.unwrap_or_default(), self.len)
    }
}

impl FromStr for Content {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parsed = text.split_once(':').and_then(|(name, len)| {
            let (_, kind) = NAMES.iter().find(|(each, _)| *each == name)?;
            Some(Self { kind: *kind, len: len.parse().ok()? })
        });
        parsed.ok_or_else(|| format!("`{text}` is not a content such as `binary:64`"))
    }
}

fn binary(len: usize, number: usize) -> Vec<u8> {
    let mut numbers = Numbers(number as u64);
    let mut bytes = Vec::with_capacity(len + 7);
    while bytes.len() < len {
        bytes.extend(numbers.next().to_le_bytes());
    }
    bytes.truncate(len);
    bytes
}

/// Returns the number followed by a repeated text, padded with dots.
fn repeated(text: &str, len: usize, number: usize) -> Vec<u8> {
    let mut all = format!("{number} ");
    for letter in text.chars().cycle() {
        if all.len() + letter.len_utf8() > len {
            break;
        }
        all.push(letter);
    }
    let mut all = all.into_bytes();
    all.resize(len, b'.');
    all
}

/// Returns a document like those of an event service, padded with spaces.
fn json(len: usize, number: usize) -> Vec<u8> {
    let mut numbers = Numbers(number as u64);
    let mut all = format!(
        r#"{{"type":"update","sequence":{number},"sent":"2026-11-{:02}T{:02}:{:02}:{:02}Z","events":["#,
        1 + numbers.below(30),
        numbers.below(24),
        numbers.below(60),
        numbers.below(60),
    );
    loop {
        let event = format!(
            r#"{{"id":"{:016x}","user":"{}","from":"{}","to":"{}","state":"{}","weight":{}.{:02},"express":{}}}"#,
            numbers.next(),
            numbers.choose(PEOPLE),
            numbers.choose(PLACES),
            numbers.choose(PLACES),
            numbers.choose(STATES),
            numbers.below(40),
            numbers.below(100),
            numbers.below(2) == 0,
        );
        if all.len() + event.len() + "]}".len() > len {
            break;
        }
        all += &event;
        all.push(',');
    }
    all.pop();
    let mut all = (all + "]}").into_bytes();
    all.resize(len, b' ');
    all
}

/// SplitMix64, with the same numbers in each run.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    fn choose<T: Copy, const COUNT: usize>(&mut self, from: [T; COUNT]) -> T {
        from[self.below(COUNT as u64) as usize]
    }
}
