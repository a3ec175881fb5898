use fullduplex_proto::handshake::{SubprotocolError, Subprotocols};

/// The subprotocols that a constructor offers: `()` or `None` for none, one name, or several.
pub trait Protocols {
    /// Checks the names.
    ///
    /// # Errors
    /// Returns a [`SubprotocolError`] for the first name that is not a token or is repeated.
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

impl Protocols for Option<&str> {
    fn into_subprotocols(self) -> Result<Subprotocols, SubprotocolError> {
        Subprotocols::new(self)
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

impl<S: Into<String>> Protocols for Vec<S> {
    fn into_subprotocols(self) -> Result<Subprotocols, SubprotocolError> {
        Subprotocols::new(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_name_or_none_may_be_optional() {
        let offered = |name: Option<&str>| name.into_subprotocols().unwrap();
        assert_eq!(offered(Some("chat")), "chat".into_subprotocols().unwrap());
        assert_eq!(offered(None), ().into_subprotocols().unwrap());
    }
}
