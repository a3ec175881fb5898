use std::net::IpAddr;

/// The hosts that are connected to directly. The list is parsed as curl parses `NO_PROXY`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct NoProxy(Entries);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Entries {
    /// The list is `*`. Within a longer list, `*` has no meaning.
    All,
    Some(Vec<Entry>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Entry {
    /// A domain in lower case, which includes its subdomains.
    Domain(String),
    /// An address, and the number of its leading bits that are compared.
    Network(IpAddr, u32),
}

impl NoProxy {
    pub(super) fn parse(list: &str) -> Self {
        if list == "*" {
            return Self(Entries::All);
        }
        let names = list.split([',', ' ', '\t']).filter(|name| !name.is_empty());
        Self(Entries::Some(names.map(Entry::parse).collect()))
    }

    /// Returns whether the list contains `host`, which is a name, or an address without brackets.
    pub(super) fn contains(&self, host: &str) -> bool {
        let Entries::Some(entries) = &self.0 else { return true };
        let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
        let address = host.parse().ok();
        entries.iter().any(|entry| match (entry, address) {
            (Entry::Domain(domain), None) => is_within(&host, domain),
            (Entry::Network(network, bits), Some(address)) => share(*network, address, *bits),
            (Entry::Domain(_), Some(_)) | (Entry::Network(..), None) => false,
        })
    }
}

impl Default for Entries {
    fn default() -> Self {
        Self::Some(Vec::new())
    }
}

impl Entry {
    fn parse(name: &str) -> Self {
        let (address, bits) = match name.split_once('/') {
            Some((address, bits)) => (address, leading_number(bits)),
            None => (name, 0),
        };
        let address = address.trim_start_matches('[').trim_end_matches(']');
        if let Ok(address) = address.parse::<IpAddr>() {
            // curl treats a prefix of 0 bits as the whole address.
            let all = if address.is_ipv4() { 32 } else { 128 };
            return Self::Network(address, if bits == 0 { all } else { bits });
        }
        let domain = name.strip_suffix('.').unwrap_or(name);
        Self::Domain(domain.strip_prefix('.').unwrap_or(domain).to_ascii_lowercase())
    }
}

/// Parses a number as C's `atoi` does, which curl uses: up to the first character that is not a digit. A
/// negative number becomes a number of bits that no address has.
fn leading_number(text: &str) -> u32 {
    if text.starts_with('-') {
        return u32::MAX;
    }
    let text = text.strip_prefix('+').unwrap_or(text);
    let digits = text.bytes().take_while(u8::is_ascii_digit);
    digits.fold(0, |number: u32, digit| {
        number.saturating_mul(10).saturating_add((digit - b'0').into())
    })
}

fn is_within(host: &str, domain: &str) -> bool {
    let rest = host.strip_suffix(domain);
    !domain.is_empty() && rest.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

/// Returns whether the first `bits` bits of two addresses of one family are equal.
fn share(network: IpAddr, address: IpAddr, bits: u32) -> bool {
    let (differing, all) = match (network, address) {
        (IpAddr::V4(one), IpAddr::V4(other)) => {
            (u128::from(one.to_bits() ^ other.to_bits()) << 96, 32)
        }
        (IpAddr::V6(one), IpAddr::V6(other)) => (one.to_bits() ^ other.to_bits(), 128),
        _ => return false,
    };
    bits <= all && differing.leading_zeros() >= bits
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOSTS: &str = "example.com www.example.com notexample.com EXAMPLE.com example.com. com a.b.example.com localhost 127.0.0.1 127.0.0.2 10.0.0.0 10.0.0.1 10.1.2.3 192.168.1.130 0.0.0.0 1.2.3.4 a a. xn--bcher-kva.example";
    /// Lists, and the hosts that curl connects to directly.
    const DIRECT: &[(&str, &str)] = &[
        ("example.com", "example.com www.example.com EXAMPLE.com example.com. a.b.example.com"),
        (".example.com", "example.com www.example.com EXAMPLE.com example.com. a.b.example.com"),
        ("example.com.", "example.com www.example.com EXAMPLE.com example.com. a.b.example.com"),
        (".example.com.", "example.com www.example.com EXAMPLE.com example.com. a.b.example.com"),
        ("EXAMPLE.COM", "example.com www.example.com EXAMPLE.com example.com. a.b.example.com"),
        ("*", HOSTS),
        ("*,a", "a a."),
        ("a,*", "a a."),
        (" *", ""),
        ("*.example.com", ""),
        (
            "a,example.com",
            "example.com www.example.com EXAMPLE.com example.com. a.b.example.com a a.",
        ),
        (
            "a example.com",
            "example.com www.example.com EXAMPLE.com example.com. a.b.example.com a a.",
        ),
        (
            "a, example.com",
            "example.com www.example.com EXAMPLE.com example.com. a.b.example.com a a.",
        ),
        (
            "a ,example.com",
            "example.com www.example.com EXAMPLE.com example.com. a.b.example.com a a.",
        ),
        (
            "a\texample.com",
            "example.com www.example.com EXAMPLE.com example.com. a.b.example.com a a.",
        ),
        (",,example.com", "example.com www.example.com EXAMPLE.com example.com. a.b.example.com"),
        (",example.com", "example.com www.example.com EXAMPLE.com example.com. a.b.example.com"),
        (
            "a,,example.com",
            "example.com www.example.com EXAMPLE.com example.com. a.b.example.com a a.",
        ),
        ("a;example.com", ""),
        (
            "com",
            "example.com www.example.com notexample.com EXAMPLE.com example.com. com a.b.example.com",
        ),
        (
            ".com",
            "example.com www.example.com notexample.com EXAMPLE.com example.com. com a.b.example.com",
        ),
        (".", ""),
        ("..", ""),
        ("127.0.0.1", "127.0.0.1"),
        ("127.0.0.0/8", "127.0.0.1 127.0.0.2"),
        ("127.0.0.1/32", "127.0.0.1"),
        ("127.0.0.1/33", ""),
        ("0.0.0.0/0", "0.0.0.0"),
        ("10.0.0.0/8", "10.0.0.0 10.0.0.1 10.1.2.3"),
        ("10.0.0.1/0", "10.0.0.1"),
        ("10.0.0.0/8/", "10.0.0.0 10.0.0.1 10.1.2.3"),
        ("10.0.0.0/x", "10.0.0.0"),
        ("10.0.0.0/", "10.0.0.0"),
        ("192.168.1.128/25", "192.168.1.130"),
        ("::1", ""),
        ("[::1]", ""),
        ("::1/128", ""),
        ("::1/0", ""),
        ("::/0", ""),
        ("2001:db8::/32", ""),
        ("[2001:db8::]/32", ""),
        ("[2001:db8::1]", ""),
        ("2001:db8::1/129", ""),
        ("::ffff:127.0.0.1", ""),
        ("::ffff:0:0/96", ""),
        ("127.0.0.1,::1", "127.0.0.1"),
        ("localhost,127.0.0.1", "localhost 127.0.0.1"),
        ("10", ""),
        ("0.1", ""),
        ("1.2.3", ""),
        ("1.2.3.4.", ""),
        ("fe80::/10", ""),
        ("10.0.0.0/08", "10.0.0.0 10.0.0.1 10.1.2.3"),
        ("10.0.0.0/+8", "10.0.0.0 10.0.0.1 10.1.2.3"),
        ("10.0.0.0/-8", ""),
        ("10.0.0.0/8x", "10.0.0.0 10.0.0.1 10.1.2.3"),
        ("10.0.0.1\nexample.com", ""),
        ("a\nexample.com", ""),
        ("10.0.0.1/31 a", "10.0.0.0 10.0.0.1 a a."),
        ("10.0.0.0/ 8", "10.0.0.0"),
        ("127.0.0.1:80", ""),
        ("example.com:80", ""),
    ];

    /// FC-06: each pair of a host and a list, as curl 7.88.1 decided it with `http_proxy` and `NO_PROXY` set.
    #[test]
    fn hosts_are_excepted_as_by_curl() {
        for (list, direct) in DIRECT {
            let no_proxy = NoProxy::parse(list);
            for host in HOSTS.split(' ') {
                let by_curl = direct.split(' ').any(|direct| direct == host);
                assert_eq!(no_proxy.contains(host), by_curl, "{host} in {list:?}");
            }
        }
    }

    /// FC-06: an IPv4-mapped address is not the IPv4 address. curl 7.88.1 documents networks of IPv6, but
    /// compares hosts of IPv6 as text; here they are compared as addresses.
    #[test]
    fn ipv6_hosts_are_compared_as_addresses() {
        for (list, direct, through) in [
            ("::1", "::1", "::2 127.0.0.1 a"),
            ("[::1]", "::1", "::2"),
            ("0:0:0:0:0:0:0:1", "::1", "::2"),
            ("2001:db8::/32", "2001:db8:1:: 2001:db8::1", "2001:db9:: ::"),
            ("fe80::/10", "fe80::1 febf::1", "fec0::1"),
            ("::1/0", "::1", "::2"),
            ("::1/129", "", "::1"),
            ("127.0.0.1", "127.0.0.1", "::ffff:127.0.0.1"),
            ("::ffff:127.0.0.1", "::ffff:127.0.0.1", "127.0.0.1"),
            ("::ffff:0:0/96", "::ffff:127.0.0.1", "127.0.0.1"),
            ("0.1", "", "::ffff:127.0.0.1"),
            ("*", "::1", ""),
            ("*,a", "", "::1"),
        ] {
            let no_proxy = NoProxy::parse(list);
            for host in direct.split_whitespace() {
                assert!(no_proxy.contains(host), "{host} in {list}");
            }
            for host in through.split_whitespace() {
                assert!(!no_proxy.contains(host), "{host} not in {list}");
            }
        }
    }
}
