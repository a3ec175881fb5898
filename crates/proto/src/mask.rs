//! Masking (RFC 6455 section 5.3): payload octet `i` is XORed with key octet `i mod 4`.

/// The key of one frame of a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct MaskKey(pub [u8; 4]);

/// Where a client's masking keys come from, one for each frame (RFC6455-5.3-2).
///
/// They must come from a strong source of entropy, so that no page can choose the bytes on the wire
/// (RFC6455-10.3-1). Any closure that returns four random bytes will do; a test gives one that counts.
pub trait MaskKeys: Send {
    /// Returns a key that was never returned before and that nobody can predict.
    fn next_key(&mut self) -> MaskKey;
}

impl<F: FnMut() -> [u8; 4] + Send> MaskKeys for F {
    fn next_key(&mut self) -> MaskKey {
        MaskKey(self())
    }
}

impl MaskKey {
    /// Masks or unmasks `payload` in place, the first byte of which stands at `offset` in its frame
    /// (RFC6455-5.3-4).
    #[inline]
    pub fn apply(self, offset: usize, payload: &mut [u8]) {
        self.apply_to_text(offset, payload);
    }

    /// As [`MaskKey::apply`], and tells whether the result is ASCII, which costs next to nothing here.
    #[inline]
    pub(crate) fn apply_to_text(self, offset: usize, payload: &mut [u8]) -> bool {
        let key = u32::from_le_bytes(self.0).rotate_right(8 * (offset % 4) as u32);
        let wide = u64::from(key) << 32 | u64::from(key);
        let mut seen = 0;
        // Plain words: the compiler widens them to what the processor has.
        let (words, rest) = payload.as_chunks_mut();
        for word in words {
            let masked = u64::from_le_bytes(*word) ^ wide;
            *word = masked.to_le_bytes();
            seen |= masked;
        }
        for (byte, key) in rest.iter_mut().zip(wide.to_le_bytes()) {
            *byte ^= key;
            seen |= u64::from(*byte);
        }
        seen & NOT_ASCII == 0
    }
}

/// The bits of eight bytes that are set in none that is ASCII.
const NOT_ASCII: u64 = u64::from_le_bytes([0x80; 8]);

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC6455-5.3-4: every length and offset of the first words against the sentence of the RFC.
    #[test]
    fn equals_octet_i_xor_key_i_mod_4() {
        let key = MaskKey([0x37, 0xfa, 0x21, 0x3d]);
        for offset in 0..64 {
            for length in 0..256usize {
                let plain: Vec<u8> = (0..length).map(|i| (i * 7 + 3) as u8).collect();
                let naive: Vec<u8> =
                    plain.iter().enumerate().map(|(i, b)| b ^ key.0[(i + offset) % 4]).collect();
                let mut masked = plain.clone();
                let is_ascii = key.apply_to_text(offset, &mut masked);
                assert_eq!(masked, naive, "offset {offset}, length {length}");
                assert_eq!(is_ascii, naive.is_ascii());
                key.apply(offset, &mut masked);
                assert_eq!(masked, plain);
            }
        }
    }

    /// No byte is overlooked that is not ASCII.
    #[test]
    fn tells_ascii_from_the_rest() {
        let key = MaskKey([0x37, 0xfa, 0x21, 0x3d]);
        for length in 0..200 {
            for odd in 0..=length {
                let mut text = vec![b'a'; length];
                if let Some(byte) = text.get_mut(odd) {
                    *byte = 0x80;
                }
                key.apply(1, &mut text);
                assert_eq!(key.apply_to_text(1, &mut text), odd == length, "{odd} of {length}");
            }
        }
    }

    #[test]
    fn in_pieces_as_in_one() {
        let key = MaskKey([1, 2, 3, 4]);
        let mut whole = [0xAAu8; 100];
        key.apply(0, &mut whole);
        for cut in 0..=100 {
            let mut pieces = [0xAAu8; 100];
            let (head, tail) = pieces.split_at_mut(cut);
            key.apply(0, head);
            key.apply(cut, tail);
            assert_eq!(pieces, whole, "cut at {cut}");
        }
    }
}
