//! Conversion of typed messages.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fullduplex::Message;

use super::args::Input;

/// Converts a line into a message.
pub(super) fn message(line: &str, input: Input) -> Result<Message, String> {
    match input {
        Input::Text | Input::TextFile | Input::File => Ok(line.into()),
        Input::Hex => from_hex(line).map(Into::into),
        Input::Base64 => from_base64(line).map(Into::into),
    }
}

/// Parses pairs of hex digits, which may have spaces between them.
pub(super) fn from_hex(text: &str) -> Result<Vec<u8>, String> {
    let digits: Option<Vec<u32>> = text
        .chars()
        .filter(|digit| !digit.is_whitespace())
        .map(|digit| digit.to_digit(16))
        .collect();
    match digits {
        Some(digits) if digits.len() % 2 == 0 => {
            Ok(digits.chunks_exact(2).map(|pair| (pair[0] << 4 | pair[1]) as u8).collect())
        }
        Some(_) => Err(format!("`{text}` has an odd number of hex digits: each byte needs two")),
        None => Err(format!("`{text}` is not hex: write each byte as two of 0-9 and a-f")),
    }
}

pub(super) fn from_base64(text: &str) -> Result<Vec<u8>, String> {
    STANDARD.decode(text.trim()).map_err(|error| format!("`{text}` is not base64: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_becomes_bytes_or_the_error_shows_it() {
        assert_eq!(message("00 fF", Input::Hex).unwrap(), vec![0, 255].into());
        assert_eq!(message(" AP8= ", Input::Base64).unwrap(), vec![0, 255].into());
        assert_eq!(message("00 fF", Input::Text).unwrap(), "00 fF".into());
        for (line, input) in [("0", Input::Hex), ("0g", Input::Hex), ("%", Input::Base64)] {
            assert!(message(line, input).is_err_and(|error| error.contains(line)));
        }
    }
}
