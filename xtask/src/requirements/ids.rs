//! Ids in a line of code, of a test or of a document.

/// The first letters of the ids of faults in other implementations, such as `L1`.
const OF_OTHERS: &str = "LFZHCMO";

/// The sections of `specs/whatwg.md`. A test whose number has another section does not cite a line of that
/// file.
const SECTIONS: std::ops::RangeInclusive<u32> = 1..=10;

/// Returns the ids in a line, such as `RFC6455-5.1-1`, `WS-2.4` and `FT-15`. In a line that contains
/// "fault", `L1` is an id too.
pub(super) fn ids(line: &str) -> Vec<String> {
    let is_part = |character: char| character.is_ascii_alphanumeric() || ".-_".contains(character);
    let words = line.split(|character| !is_part(character));
    let words = words.map(|word| word.trim_end_matches(['.', '-']));
    let says_fault = line.contains("ault");
    let mut ids: Vec<_> = words
        .filter(|word| is_id(word) || says_fault && is_fault_of_others(word))
        .map(str::to_owned)
        .collect();
    ids.extend(checklist_line(line));
    ids
}

fn is_id(word: &str) -> bool {
    let Some((family, rest)) = word.split_once('-') else { return false };
    let starts_with_digit = rest.starts_with(|character: char| character.is_ascii_digit());
    match family {
        "WS" | "FT" | "FS" | "FC" | "FK" | "FN" | "FD" | "HUB" => starts_with_digit,
        family => family.strip_prefix("RFC").is_some_and(is_number) && !rest.is_empty(),
    }
}

fn is_fault_of_others(word: &str) -> bool {
    word.len() <= 3
        && word.starts_with(|letter| OF_OTHERS.contains(letter))
        && is_number(&word[1..])
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Returns `WS-2.4` for the declaration of a test of the npm package, `test('2.4 http becomes ws'`.
fn checklist_line(line: &str) -> Option<String> {
    let (_, name) = line.split_once("test('")?;
    let (number, _) = name.split_once(' ')?;
    let (section, line) = number.split_once('.')?;
    let is_section = section.parse().is_ok_and(|section| SECTIONS.contains(&section));
    (is_section && is_number(line)).then(|| format!("WS-{number}"))
}

#[cfg(test)]
mod tests {
    use super::ids;

    #[test]
    fn ids_are_found_in_every_family() {
        for (line, expected) in [
            ("/// RFC6455-5.1-1.", &["RFC6455-5.1-1"][..]),
            (
                "(RFC6455-7.4.1-1, RFC7692-vec): RFC6455-9-1",
                &["RFC6455-7.4.1-1", "RFC7692-vec", "RFC6455-9-1"],
            ),
            ("/// Faults FT-15 and L13: (WS-2.4)", &["FT-15", "L13", "WS-2.4"]),
            ("HUB-1, and HUB-3: HUB", &["HUB-1", "HUB-3"]),
            ("test('10.3 a failed handshake', async () => {", &["WS-10.3"]),
            ("test('13.1 one socket does not stop others', () => {", &[]),
            ("RFC 6455 section 5.1, RFC6455, L13, UTF-8, FT-", &[]),
        ] {
            assert_eq!(ids(line), expected, "{line}");
        }
    }
}
