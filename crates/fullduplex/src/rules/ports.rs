/// The ports to which a socket may connect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Ports {
    /// Allows the same ports as a browser: all ports except 83 ports of other protocols, which the Fetch
    /// standard blocks.
    #[default]
    Fetch,
    /// Allows every port.
    Any,
}

impl Ports {
    /// Returns whether a socket may connect to `port`.
    pub fn allow(self, port: u16) -> bool {
        match self {
            Self::Fetch => BLOCKED.binary_search(&port).is_err(),
            Self::Any => true,
        }
    }
}

/// The blocked ports of Fetch ("bad port", WHATWG Fetch section 2.9).
const BLOCKED: [u16; 83] = [
    0, 1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95, 101,
    102, 103, 104, 109, 110, 111, 113, 115, 117, 119, 123, 135, 137, 139, 143, 161, 179, 389, 427,
    465, 512, 513, 514, 515, 526, 530, 531, 532, 540, 548, 554, 556, 563, 587, 601, 636, 989, 990,
    993, 995, 1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061, 6000, 6566, 6665, 6666, 6667,
    6668, 6669, 6679, 6697, 10080,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fetch_blocks_83_of_65_536_ports() {
        let blocked = |port: &u16| !Ports::Fetch.allow(*port);
        assert_eq!((0..=u16::MAX).filter(blocked).count(), 83);
        assert!(BLOCKED.iter().all(blocked));
        assert!([80, 443, 8080, 6670, 10081].into_iter().all(|port| Ports::Fetch.allow(port)));
        assert!((0..=u16::MAX).all(|port| Ports::Any.allow(port)));
    }
}
