use std::net::IpAddr;
use std::num::NonZeroU64;

/// The unit of `connections_per_address`: one IPv4 address, or one IPv6 network of 64 bits. One customer
/// usually has one such address or network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Network(NonZeroU64);

/// Prefix of an IPv4 address. No IPv6 network has these bits.
const IPV4: u64 = 0xFFFF << 32;

impl From<IpAddr> for Network {
    fn from(address: IpAddr) -> Self {
        let bits = match address.to_canonical() {
            IpAddr::V4(address) => IPV4 | u64::from(address.to_bits()),
            IpAddr::V6(address) => (address.to_bits() >> 64) as u64,
        };
        // The IPv6 network of zeros contains the loopback address and other special addresses. Its value is 1
        // here, because the type excludes 0.
        Self(NonZeroU64::new(bits).unwrap_or(NonZeroU64::MIN))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_one_ipv6_network_count_together() {
        let network = |address: &str| Network::from(address.parse::<IpAddr>().unwrap());
        assert_eq!(network("2001:db8::1"), network("2001:db8::2"));
        assert_ne!(network("2001:db8::1"), network("2001:db8:0:1::1"));
        assert_ne!(network("192.0.2.1"), network("192.0.2.2"));
        assert_eq!(network("192.0.2.1"), network("::ffff:192.0.2.1"));
        assert_eq!(network("::1"), network("::2"));
    }
}
