/// Returns the bytes of a `ByteString`, in which each character is one byte.
pub(crate) fn latin1(text: &str) -> Vec<u8> {
    text.chars().map(|character| u8::try_from(character).unwrap_or(b'?')).collect()
}
