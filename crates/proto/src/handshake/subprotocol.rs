use std::collections::BTreeSet;

use super::syntax;

/// The name of a subprotocol: a non-empty token (RFC6455-4.1-21).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Subprotocol(String);

/// Why a list of subprotocols cannot be offered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SubprotocolError {
    /// Not a token.
    #[error(
        "`{0}` is not the name of a subprotocol: use visible ASCII characters, and none of ()<>@,;:\\\"/[]?={{}} or the space"
    )]
    NotAToken(String),
    /// Offered twice.
    #[error("the subprotocol `{0}` is repeated; offer it once")]
    Repeated(String),
}

impl Subprotocol {
    /// Creates a subprotocol from its name.
    ///
    /// # Errors
    /// [`SubprotocolError::NotAToken`] if the name is not a token.
    pub fn new(name: impl Into<String>) -> Result<Self, SubprotocolError> {
        let name = name.into();
        if syntax::is_token(&name) {
            Ok(Self(name))
        } else {
            Err(SubprotocolError::NotAToken(name))
        }
    }

    /// Returns the name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for Subprotocol {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// A list of different subprotocols, in order of preference.
///
/// Names are case-sensitive: `chat` and `Chat` are two subprotocols.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Subprotocols(Vec<Subprotocol>);

impl Subprotocols {
    /// Creates a list from names.
    ///
    /// # Errors
    /// [`SubprotocolError`], for the first name that is not a token or is repeated.
    pub fn new<N: Into<String>>(
        names: impl IntoIterator<Item = N>,
    ) -> Result<Self, SubprotocolError> {
        let list = names.into_iter().map(Subprotocol::new).collect::<Result<Vec<_>, _>>()?;
        let mut seen = BTreeSet::new();
        match list.iter().find(|name| !seen.insert(name.as_str())) {
            Some(repeated) => Err(SubprotocolError::Repeated(repeated.0.clone())),
            None => Ok(Self(list)),
        }
    }

    /// Returns the subprotocols, in order.
    pub fn iter(&self) -> impl Iterator<Item = &Subprotocol> {
        self.0.iter()
    }

    /// Returns whether the list is empty.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns whether the list has a subprotocol of exactly this name.
    pub fn contains(&self, name: &str) -> bool {
        self.0.iter().any(|subprotocol| subprotocol.0 == name)
    }

    /// Returns the value of the header that offers the subprotocols.
    pub(super) fn to_header(&self) -> String {
        self.0.iter().map(Subprotocol::as_str).collect::<Vec<_>>().join(", ")
    }
}
