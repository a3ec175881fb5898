//! The grammar that the handshake's headers share (RFC 9110 section 5.6).

use http::HeaderMap;
use http::header::{AsHeaderName, CONTENT_LENGTH, HeaderValue, TRANSFER_ENCODING};

/// Returns whether `text` is a token: one or more visible ASCII characters without separators.
pub(super) fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(is_token_byte)
}

pub(super) fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_graphic() && !b"()<>@,;:\\\"/[]?={}".contains(&byte)
}

/// A header that must not be repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Single<'a> {
    Absent,
    Once(&'a HeaderValue),
    Repeated,
}

pub(super) fn single(headers: &HeaderMap, name: impl AsHeaderName) -> Single<'_> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => Single::Absent,
        (Some(value), None) => Single::Once(value),
        (Some(_), Some(_)) => Single::Repeated,
    }
}

/// Returns the elements of a comma-separated header, which may have several lines. Empty elements are
/// ignored (RFC 9110 section 5.6.1.2, FS-11). A line that is not ASCII has no elements.
pub(super) fn elements(headers: &HeaderMap, name: impl AsHeaderName) -> impl Iterator<Item = &str> {
    let values = headers.get_all(name).iter();
    let elements = values.flat_map(|value| value.to_str().unwrap_or_default().split(','));
    elements.map(trim).filter(|element| !element.is_empty())
}

/// Returns whether a list header has the given element, compared without regard to case.
pub(super) fn has_element(headers: &HeaderMap, name: impl AsHeaderName, wanted: &str) -> bool {
    elements(headers, name).any(|element| element.eq_ignore_ascii_case(wanted))
}

/// Returns whether the headers of an opening request announce a body. The bytes after the request must be
/// frames (fault H13).
pub(super) fn announces_body(headers: &HeaderMap) -> bool {
    let is_zero = |value: &HeaderValue| value == "0";
    headers.contains_key(TRANSFER_ENCODING) || !headers.get_all(CONTENT_LENGTH).iter().all(is_zero)
}

/// Removes the optional white space of RFC 9110: spaces and tabs.
pub(super) fn trim(text: &str) -> &str {
    text.trim_matches([' ', '\t'])
}

/// Formats a value from the peer for an error message. Escapes it, and truncates it if it is long.
pub(super) fn shown(value: &[u8]) -> String {
    match value.get(..SHOWN_BYTES) {
        Some(start) if value.len() > SHOWN_BYTES => format!("{}...", start.escape_ascii()),
        _ => value.escape_ascii().to_string(),
    }
}

const SHOWN_BYTES: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_value_is_shown_truncated() {
        let exact = "a".repeat(SHOWN_BYTES);
        assert_eq!(shown(exact.as_bytes()), exact);
        assert_eq!(shown(format!("{exact}a").as_bytes()), format!("{exact}..."));
    }

    #[test]
    fn the_separators_are_no_token_characters() {
        let not_token: Vec<char> =
            (0..128u8).filter(|&byte| !is_token_byte(byte)).map(char::from).collect();
        let expected: Vec<char> = ('\0'..=' ').chain("\"(),/:;<=>?@[\\]{}\x7f".chars()).collect();
        assert_eq!(not_token, expected);
        assert!(!is_token("") && !is_token("ü") && is_token("a!#$%&'*+-.^_`|~9"));
    }
}
