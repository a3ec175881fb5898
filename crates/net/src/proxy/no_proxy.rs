use std::net::IpAddr;

/// The hosts that are connected to directly, in the forms in which curl reads `NO_PROXY`: a list with
/// commas or spaces of domains, which stand for all within them, with or without a leading dot; of
/// addresses, and networks such as `10.0.0.0/8`; and `*` for all hosts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct NoProxy(Vec<Entry>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Entry {
    All,
    /// A domain in lower case.
    Domain(String),
    /// An address, and how many bits of it count.
    Network(IpAddr, u32),
}

impl NoProxy {
    pub(super) fn parse(list: &str) -> Self {
        let names = list.split([',', ' ', '\t', '\n', '\r']).filter(|name| !name.is_empty());
        Self(names.map(Entry::parse).collect())
    }

    pub(super) fn contains(&self, host: &str) -> bool {
        let host = host.strip_suffix('.').unwrap_or(host);
        let address = host.parse().ok().map(|address: IpAddr| address.to_canonical());
        self.0.iter().any(|entry| match (entry, address) {
            (Entry::All, _) => true,
            (Entry::Domain(domain), None) => is_within(&host.to_ascii_lowercase(), domain),
            (Entry::Network(network, bits), Some(address)) => share(*network, address, *bits),
            (Entry::Domain(_), Some(_)) | (Entry::Network(..), None) => false,
        })
    }
}

impl Entry {
    fn parse(name: &str) -> Self {
        if name == "*" {
            return Self::All;
        }
        let (address, bits) = match name.split_once('/') {
            Some((address, bits)) => (address, bits.parse().ok()),
            None => (name, Some(u32::MAX)),
        };
        let address = address.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
        if let (Ok(address), Some(bits)) = (address, bits) {
            return Self::Network(address, bits);
        }
        let domain = name.strip_prefix('.').unwrap_or(name);
        Self::Domain(domain.strip_suffix('.').unwrap_or(domain).to_ascii_lowercase())
    }
}

fn is_within(host: &str, domain: &str) -> bool {
    let rest = host.strip_suffix(domain);
    !domain.is_empty() && rest.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

/// Whether two addresses of one family have their first bits in common.
fn share(network: IpAddr, address: IpAddr, bits: u32) -> bool {
    let differing = match (network, address) {
        (IpAddr::V4(one), IpAddr::V4(other)) => u128::from(one.to_bits() ^ other.to_bits()) << 96,
        (IpAddr::V6(one), IpAddr::V6(other)) => one.to_bits() ^ other.to_bits(),
        _ => return false,
    };
    differing.leading_zeros() >= bits.min(if network.is_ipv4() { 32 } else { 128 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms() {
        for (list, inside, outside) in [
            (
                "example.com",
                "example.com www.example.com EXAMPLE.com example.com.",
                "anexample.com",
            ),
            (".example.com", "example.com a.b.example.com", "example.org com"),
            ("a.b., c", "a.b x.c", "b d"),
            (
                "localhost,127.0.0.1 ::1",
                "localhost 127.0.0.1 ::1 ::ffff:127.0.0.1",
                "127.0.0.2 ::2",
            ),
            ("10.0.0.0/8", "10.0.0.1 10.255.255.255", "11.0.0.0 10.example"),
            ("192.168.1.129/25", "192.168.1.128 192.168.1.255", "192.168.1.127"),
            ("10.0.0.1/32,0.0.0.0/33", "10.0.0.1 0.0.0.0", "10.0.0.0 0.0.0.1"),
            ("[::1],2001:db8::/32", "::1 2001:db8:1::", "2001:db9:: ::"),
            ("0.0.0.0/0", "1.2.3.4 255.255.255.255", "::1 a"),
            ("*", "a 1.2.3.4 ::1", ""),
            ("", "", "a 1.2.3.4"),
            (".", "", "a a."),
            ("10.0.0.0/x", "", "10.0.0.0"),
            ("0.1", "", "10.0.0.1"),
        ] {
            let no_proxy = NoProxy::parse(list);
            for host in inside.split(' ').filter(|host| !host.is_empty()) {
                assert!(no_proxy.contains(host), "{host} is in {list}");
            }
            for host in outside.split(' ').filter(|host| !host.is_empty()) {
                assert!(!no_proxy.contains(host), "{host} is not in {list}");
            }
        }
    }
}
