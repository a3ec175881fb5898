use fullduplex_net::proto::handshake::{BadSubprotocol, Subprotocols};

/// What may stand for the constructor's `protocols`: nothing as `()`, one name, or several.
pub trait Protocols {
    /// Checks that the names can be offered.
    ///
    /// # Errors
    /// [`BadSubprotocol`], which names the first that cannot.
    fn into_subprotocols(self) -> Result<Subprotocols, BadSubprotocol>;
}

impl Protocols for () {
    fn into_subprotocols(self) -> Result<Subprotocols, BadSubprotocol> {
        Ok(Subprotocols::default())
    }
}

impl Protocols for &str {
    fn into_subprotocols(self) -> Result<Subprotocols, BadSubprotocol> {
        Subprotocols::new([self])
    }
}

impl<const N: usize> Protocols for [&str; N] {
    fn into_subprotocols(self) -> Result<Subprotocols, BadSubprotocol> {
        Subprotocols::new(self)
    }
}

impl Protocols for &[&str] {
    fn into_subprotocols(self) -> Result<Subprotocols, BadSubprotocol> {
        Subprotocols::new(self.iter().copied())
    }
}

impl Protocols for Vec<String> {
    fn into_subprotocols(self) -> Result<Subprotocols, BadSubprotocol> {
        Subprotocols::new(self)
    }
}
