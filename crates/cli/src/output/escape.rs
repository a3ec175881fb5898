//! Escaping of text for terminals.

/// Returns whether a character may move the cursor, change the terminal, reorder text or be
/// invisible. Control characters and characters that Unicode ignores by default have this effect.
/// Variation selectors are allowed, because emoji need them.
pub(super) fn is_hostile(character: char) -> bool {
    matches!(character,
        '\0'..='\x1f' | '\x7f'..='\u{9f}' // C0, DEL and C1
        | '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
        | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}' // zero width, and direction marks
        | '\u{2028}'..='\u{202e}' // separators, embeddings and overrides
        | '\u{2060}'..='\u{206f}' // joiners and isolates
        | '\u{3164}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}'
        | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
        | '\u{e0000}'..='\u{e0fff}' // tags, and selectors that can hide text
    )
}

/// Calls `take` with the pieces of the escaped text. Hostile characters are written in Rust's escape
/// syntax. All other text is unchanged.
pub(super) fn escape(text: &str, mut take: impl FnMut(&str)) {
    let mut rest = text;
    while let Some((at, hostile)) = rest.char_indices().find(|(_, c)| is_hostile(*c)) {
        take(&rest[..at]);
        match hostile {
            '\n' => take("\\n"),
            '\r' => take("\\r"),
            '\t' => take("\\t"),
            _ => take(&hostile.escape_unicode().to_string()),
        }
        rest = &rest[at + hostile.len_utf8()..];
    }
    take(rest);
}

/// Returns `text` with its hostile characters escaped.
pub(crate) fn escaped(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    escape(text, |piece| shown.push_str(piece));
    shown
}

/// Returns `text` escaped and cut to `width` characters.
pub(crate) fn cut(text: &str, width: usize) -> String {
    // Each character is escaped as at least one character, so `width + 1` characters show whether
    // the text is cut.
    let beginning: String = text.chars().take(width.saturating_add(1)).collect();
    let shown = escaped(&beginning);
    match shown.char_indices().nth(width) {
        Some(_) => shown.chars().take(width.saturating_sub(1)).chain(['…']).collect(),
        None => shown,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn controls_bidi_and_invisible_characters_are_escaped() {
        assert_eq!(escaped("\x1b[2Jx\u{9b}\r\n\t\x7f"), "\\u{1b}[2Jx\\u{9b}\\r\\n\\t\\u{7f}");
        assert_eq!(
            escaped("a\u{202e}b\u{200b}c\u{2028}d\u{feff}"),
            "a\\u{202e}b\\u{200b}c\\u{2028}d\\u{feff}"
        );
        for harmless in ["Grüße, 世界", "👍🏽 ❤\u{fe0f}", "→ \\ … µ"] {
            assert_eq!(escaped(harmless), harmless);
        }
    }

    #[test]
    fn text_is_cut_after_it_was_escaped() {
        assert_eq!(cut("a\x1b[2J\r\nü", 80), "a\\u{1b}[2J\\r\\nü");
        assert_eq!([cut("abcdef", 4), cut("abcd", 4)], ["abc…", "abcd"]);
        assert_eq!(cut("\0\0\0\0", 8), "\\u{0}\\u…");
    }

    proptest! {
        /// FK-03
        #[test]
        fn hostile_characters_are_escaped(text in ".*", width in 0usize..50) {
            prop_assert!(!escaped(&text).chars().any(is_hostile));
            prop_assert!(cut(&text, width).chars().count() <= width.max(1));
        }
    }
}
