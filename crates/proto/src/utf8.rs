use simdutf8::{basic, compat};

/// For a text of at most this length, a check for ASCII first is faster.
const SHORT: usize = 128;

/// Returns whether a complete text is UTF-8.
#[inline]
pub(crate) fn is_utf8(text: &[u8]) -> bool {
    (text.len() <= SHORT && text.is_ascii()) || basic::from_utf8(text).is_ok()
}

/// Checks text while it arrives. Fails at the first byte that is not valid UTF-8 (RFC6455-8.1-1), and keeps
/// at most three bytes of an incomplete character.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Utf8Validator {
    /// The first `held` bytes of an incomplete character.
    character: [u8; 4],
    held: u8,
}

/// The bytes are not UTF-8.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Utf8Error;

impl Utf8Validator {
    /// Checks the next bytes of the text.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> Result<(), Utf8Error> {
        let bytes = self.finish_character(bytes)?;
        let Err(error) = compat::from_utf8(bytes) else {
            return Ok(());
        };
        if error.error_len().is_some() {
            return Err(Utf8Error);
        }
        let begun = &bytes[error.valid_up_to()..];
        self.character[..begun.len()].copy_from_slice(begun);
        self.held = begun.len() as u8;
        Ok(())
    }

    /// Returns how many bytes of an incomplete character are kept.
    pub(crate) fn held(&self) -> usize {
        usize::from(self.held)
    }

    /// Ends the text, and prepares for the next text. Fails if the text ends within a character.
    pub(crate) fn finish(&mut self) -> Result<(), Utf8Error> {
        if std::mem::take(&mut self.held) == 0 { Ok(()) } else { Err(Utf8Error) }
    }

    /// Completes the incomplete character, and returns the bytes after it.
    fn finish_character<'a>(&mut self, mut bytes: &'a [u8]) -> Result<&'a [u8], Utf8Error> {
        while self.held > 0 {
            let Some((&next, rest)) = bytes.split_first() else {
                break;
            };
            self.character[self.held()] = next;
            self.held += 1;
            bytes = rest;
            match str::from_utf8(&self.character[..self.held()]) {
                Ok(_) => self.held = 0,
                Err(error) if error.error_len().is_some() => return Err(Utf8Error),
                // A fourth byte completes the character or is an error, so four bytes are enough.
                Err(_) => {}
            }
        }
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns whether the bytes are the beginning of valid UTF-8, and whether they are valid UTF-8.
    fn naive(bytes: &[u8]) -> (bool, bool) {
        match str::from_utf8(bytes) {
            Ok(_) => (true, true),
            Err(error) => (error.error_len().is_none(), false),
        }
    }

    /// Debug builds skip most of the sequences whose first byte is below 0xC0.
    #[test]
    fn three_bytes_are_checked_at_every_split() {
        for first in 0..=255u8 {
            for second in 0..=255u8 {
                for third in
                    (0..=255u8).step_by(if cfg!(debug_assertions) && first < 0xC0 { 17 } else { 1 })
                {
                    let bytes = [first, second, third];
                    let (possible, whole) = naive(&bytes);
                    for (one, two) in [(0, 0), (0, 1), (1, 1), (1, 2), (0, 2), (2, 2)] {
                        let mut validator = Utf8Validator::default();
                        let verdict = validator
                            .push(&bytes[..one])
                            .and_then(|()| validator.push(&bytes[one..two]))
                            .and_then(|()| validator.push(&bytes[two..]));
                        assert_eq!(verdict.is_ok(), possible, "{bytes:x?}");
                        if possible {
                            assert_eq!(validator.finish().is_ok(), whole, "{bytes:x?}");
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn every_character_is_valid_byte_by_byte() {
        let mut validator = Utf8Validator::default();
        for character in '\0'..=char::MAX {
            for byte in character.encode_utf8(&mut [0; 4]).bytes() {
                assert_eq!(validator.push(&[byte]), Ok(()), "{character:?}");
            }
            assert_eq!(validator.finish(), Ok(()), "{character:?}");
        }
    }
}
