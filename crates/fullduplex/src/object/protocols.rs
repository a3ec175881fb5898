use fullduplex_net::proto::handshake::{SubprotocolError, Subprotocols};

/// What may stand for the constructor's `protocols`: nothing as `()`, one name, or several.
pub trait Protocols {
    /// Checks that the names can be offered.
    ///
    /// # Errors
    /// [`SubprotocolError`], which names the first that cannot.
    fn into_subprotocols(self) -> Result<Subprotocols, SubprotocolError>;
}

impl Protocols for () {
    fn into_subprotocols(self) -> Result<Subprotocols, SubprotocolError> {
        Ok(Subprotocols::default())
    }
}

impl Protocols for &str {
    fn into_subprotocols(self) -> Result<Subprotocols, SubprotocolError> {
        Subprotocols::new([self])
    }
}

impl<const N: usize> Protocols for [&str; N] {
    fn into_subprotocols(self) -> Result<Subprotocols, SubprotocolError> {
        Subprotocols::new(self)
    }
}

impl Protocols for &[&str] {
    fn into_subprotocols(self) -> Result<Subprotocols, SubprotocolError> {
        Subprotocols::new(self.iter().copied())
    }
}

impl Protocols for Vec<String> {
    fn into_subprotocols(self) -> Result<Subprotocols, SubprotocolError> {
        Subprotocols::new(self)
    }
}
