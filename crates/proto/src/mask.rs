//! Masking (RFC 6455 section 5.3): payload octet `i` is XORed with key octet `i mod 4`.

/// The masking key of one frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct MaskKey(pub [u8; 4]);

/// The source of a client's masking keys, one for each frame (RFC6455-5.3-2).
///
/// The keys must come from a strong source of entropy, so that a web page cannot choose the bytes on
/// the wire (RFC6455-10.3-1). Any closure that returns four bytes implements this trait.
pub trait MaskKeys: Send {
    /// Returns a fresh key that cannot be predicted.
    fn next_key(&mut self) -> MaskKey;
}

impl<F: FnMut() -> [u8; 4] + Send> MaskKeys for F {
    fn next_key(&mut self) -> MaskKey {
        MaskKey(self())
    }
}

impl MaskKey {
    /// Masks or unmasks `payload` in place (RFC6455-5.3-4). `offset` is the position of its first byte in
    /// the payload of the frame.
    #[inline]
    pub fn apply(self, offset: usize, payload: &mut [u8]) {
        self.apply_to_text(offset, payload);
    }

    /// Does the same as [`MaskKey::apply`], and returns whether the result is ASCII.
    #[inline]
    pub(crate) fn apply_to_text(self, offset: usize, payload: &mut [u8]) -> bool {
        let key = u32::from_le_bytes(self.0).rotate_right(8 * (offset % 4) as u32);
        let wide = u64::from(key) << 32 | u64::from(key);
        let mut seen = 0;
        // The compiler vectorizes this loop.
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

/// The high bit of each of eight bytes. It is zero in ASCII characters.
const NOT_ASCII: u64 = u64::from_le_bytes([0x80; 8]);

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC6455-5.3-4: compares the result with the formula of the RFC.
    #[test]
    fn masking_xors_octet_i_with_key_octet_i_mod_4() {
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

    /// A byte that is not ASCII is found at every position.
    #[test]
    fn masking_detects_whether_the_result_is_ascii() {
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
    fn masking_in_pieces_equals_masking_at_once() {
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
