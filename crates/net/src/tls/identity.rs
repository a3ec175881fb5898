use std::sync::Arc;

use rustls::ServerConfig;
use tokio_rustls::TlsAcceptor;

use super::{pem, provider};

/// What a server shows to clients that connect over TLS: its certificates, and the key to the first.
/// Cloning it is cheap.
#[derive(Clone)]
pub struct Identity(Arc<ServerConfig>);

/// The certificates or the key cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IdentityError {
    /// A text given is not PEM, or has not what it should have.
    #[error("the {part} cannot be read from PEM: {reason}")]
    Pem {
        /// Which of them.
        part: &'static str,
        /// What is wrong.
        reason: String,
    },
    /// The key is not that of the first certificate, or of a kind that is not known.
    #[error("the certificates and the key cannot be used: {0}")]
    Mismatch(String),
}

impl Identity {
    /// Certificates in PEM, the server's own first and those that lead to a root behind it, and the
    /// private key of the first, in PEM as well.
    ///
    /// # Errors
    /// [`IdentityError`].
    pub fn from_pem(certificates: &[u8], key: &[u8]) -> Result<Self, IdentityError> {
        let bad = |part| move |reason| IdentityError::Pem { part, reason };
        let chain = pem::certificates(certificates).map_err(bad("certificates"))?;
        let key = pem::private_key(key).map_err(bad("private key"))?;
        let mismatch = |error: rustls::Error| IdentityError::Mismatch(error.to_string());
        let mut config = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(mismatch)?
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .map_err(mismatch)?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self(Arc::new(config)))
    }

    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(Arc::clone(&self.0))
    }
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Identity").finish_non_exhaustive()
    }
}
