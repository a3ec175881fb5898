//! Values of arguments.

use std::str::FromStr;
use std::time::Duration;

use fullduplex_net::proto::handshake::{HostName, HostPolicy};

/// Parses a number of seconds, such as `0.5`. Use it for arguments that may be zero.
pub(crate) fn seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse().ok().filter(|seconds| (0.0..=1e6).contains(seconds));
    seconds.map(Duration::from_secs_f64).ok_or("give a number of seconds, up to 1000000".into())
}

/// Parses a number of seconds that must not be zero.
pub(crate) fn positive_seconds(text: &str) -> Result<Duration, String> {
    let positive = seconds(text)?;
    if positive.is_zero() { Err("give a number of seconds above 0".into()) } else { Ok(positive) }
}

/// The interval of pings; `None` means no pings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PingInterval(pub(crate) Option<Duration>);

impl FromStr for PingInterval {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match seconds(text)? {
            Duration::ZERO => Ok(Self(None)),
            interval if interval < SHORTEST_PING => {
                Err("give 0 for no pings, or at least 0.1 seconds".into())
            }
            interval => Ok(Self(Some(interval))),
        }
    }
}

/// The shortest interval of pings. A shorter interval would flood the server.
const SHORTEST_PING: Duration = Duration::from_millis(100);

/// Parses a number of bytes, such as `512`, `64k`, `1M` or `2G`.
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

/// A name of `--host`: a host name, or `*` for any.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum AllowedHost {
    Any,
    Name(HostName),
}

impl FromStr for AllowedHost {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "*" => Ok(Self::Any),
            name => HostName::parse(name).map(Self::Name).map_err(|error| error.to_string()),
        }
    }
}

/// Returns the hosts whose requests a server accepts, given the values of `--host`.
pub(crate) fn host_policy(allowed: &[AllowedHost]) -> HostPolicy {
    let mut names = Vec::new();
    for host in allowed {
        match host {
            AllowedHost::Any => return HostPolicy::Any,
            AllowedHost::Name(name) => names.push(name.clone()),
        }
    }
    if names.is_empty() { HostPolicy::Auto } else { HostPolicy::Local(names) }
}

/// Parses an address to listen at: a port on 127.0.0.1, such as `9001`, or a host and a port, such as
/// `[::1]:9001`.
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
    fn sizes_have_units() {
        assert_eq!(size("512"), Ok(512));
        assert_eq!(size("64k"), Ok(64 << 10));
        assert_eq!(size("3M"), Ok(3 << 20));
        for bad in ["", "k", "-1", "1.5M", "99999999999999999999", "99999999999999G", "1kk", "ä"] {
            assert!(size(bad).is_err(), "{bad}");
        }
    }

    /// FS-05
    #[test]
    fn hosts_are_names_or_a_star() {
        let name = |text: &str| text.parse::<AllowedHost>();
        let (dev, any) = (name("Dev.example.").unwrap(), name("*").unwrap());
        assert_eq!(host_policy(&[]), HostPolicy::Auto);
        assert_eq!(host_policy(&[dev.clone(), any]), HostPolicy::Any);
        let listed = vec!["dev.example".parse().unwrap()];
        assert_eq!(host_policy(&[dev]), HostPolicy::Local(listed));
        for bad in ["", "dev.example:80", "http://dev.example", "*.example", "a b"] {
            assert!(name(bad).is_err(), "{bad}");
        }
    }

    /// FK-08
    #[test]
    fn a_ping_interval_of_zero_means_never() {
        assert_eq!("0".parse(), Ok(PingInterval(None)));
        assert_eq!("0.5".parse(), Ok(PingInterval(Some(Duration::from_millis(500)))));
        for bad in ["0.001", "-1", "x", "NaN"] {
            assert!(bad.parse::<PingInterval>().is_err(), "{bad}");
        }
        assert!(positive_seconds("0").is_err());
    }
}
