//! Values of arguments.

use std::time::Duration;

/// A number of seconds, such as `0.5`.
pub(crate) fn seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse().ok().filter(|seconds| (0.0..=1e6).contains(seconds));
    seconds.map(Duration::from_secs_f64).ok_or("give a number of seconds, up to a million".into())
}

/// A number of bytes, such as `512`, `64k`, `1M` or `2G`.
pub(crate) fn size(text: &str) -> Result<usize, String> {
    let (digits, shift) = match text.char_indices().next_back() {
        Some((at, 'k' | 'K')) => (&text[..at], 10),
        Some((at, 'm' | 'M')) => (&text[..at], 20),
        Some((at, 'g' | 'G')) => (&text[..at], 30),
        _ => (text, 0),
    };
    let number: Option<usize> = digits.parse().ok();
    number
        .and_then(|number| number.checked_mul(1 << shift))
        .ok_or("give a number of bytes, such as 512, 64k or 1M".into())
}

/// Where to listen: `9001`, on 127.0.0.1, or a host and a port, such as `[::1]:9001`.
pub(crate) fn tcp_address(text: &str) -> Result<String, String> {
    if text.parse::<u16>().is_ok() {
        return Ok(format!("127.0.0.1:{text}"));
    }
    match text.rsplit_once(':') {
        Some((host, port))
            if !host.is_empty() && !host.contains('/') && port.parse::<u16>().is_ok() =>
        {
            Ok(text.to_owned())
        }
        _ => Err("give a port, such as 9001, or a host and a port, such as 127.0.0.1:9001".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        assert_eq!(size("512"), Ok(512));
        assert_eq!(size("64k"), Ok(64 << 10));
        assert_eq!(size("3M"), Ok(3 << 20));
        for bad in ["", "k", "-1", "1.5M", "99999999999999999999", "99999999999999G", "1kk", "ä"] {
            assert!(size(bad).is_err(), "{bad}");
        }
    }
}
