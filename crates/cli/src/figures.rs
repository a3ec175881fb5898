//! Numbers formatted for people.

use std::time::Duration;

/// Formats a time with three digits and its unit, such as `1.23 ms`.
pub(crate) fn time(duration: Duration) -> String {
    let seconds = duration.as_secs_f64();
    let (value, unit) = match duration {
        _ if seconds < 1e-3 => (seconds * 1e6, "µs"),
        _ if seconds < 1.0 => (seconds * 1e3, "ms"),
        _ => (seconds, "s"),
    };
    format!("{} {unit}", three_digits(value))
}

/// Formats a number of bytes with three digits and its unit, such as `1.23 MiB`.
pub(crate) fn bytes(number: f64) -> String {
    let mut value = number;
    for unit in ["B", "KiB", "MiB"] {
        if value < 1024.0 {
            return format!("{} {unit}", three_digits(value));
        }
        value /= 1024.0;
    }
    format!("{} GiB", three_digits(value))
}

/// Formats a whole number with separated thousands, such as `1 234 567`.
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    digits.char_indices().fold(String::new(), |mut text, (at, digit)| {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
        text
    })
}

/// Formats a number of things. The plural of `noun` ends with an s.
pub(crate) fn counted(number: u64, noun: &str) -> String {
    format!("{} {noun}{}", count(number), if number == 1 { "" } else { "s" })
}

fn three_digits(value: f64) -> String {
    match value {
        _ if value == value.trunc() && value < 1000.0 => format!("{value:.0}"),
        _ if value < 9.995 => format!("{value:.2}"),
        _ if value < 99.95 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_three_digits_and_a_unit() {
        let times = [0, 1_500, 12_340, 123_400_000, 9_999_000_000, 61_000_000_000];
        let times = times.map(|nanos| time(Duration::from_nanos(nanos)));
        assert_eq!(times, ["0 µs", "1.50 µs", "12.3 µs", "123 ms", "10.0 s", "61 s"]);
        assert_eq!([512.0, 1536.0, 5e9].map(bytes), ["512 B", "1.50 KiB", "4.66 GiB"]);
        assert_eq!([0, 999, 1000, 1_234_567].map(count), ["0", "999", "1 000", "1 234 567"]);
    }
}
