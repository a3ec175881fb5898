use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use rustls::server::danger::ClientCertVerifier;
use rustls::server::{ClientHello, NoClientAuth, ResolvesServerCert, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;
use rustls::{RootCertStore, ServerConfig};
use tokio_rustls::TlsAcceptor;

use super::pem::{self, KeyError};
use super::provider;

/// A server's certificates and private key for TLS, and which client certificates it requests.
///
/// Cloning is cheap. All clones share the certificates. [`replace`](Self::replace) can renew them while the
/// server runs.
#[derive(Clone)]
pub struct Identity {
    config: Arc<ServerConfig>,
    current: Arc<Current>,
}

/// The certificates that are presented now.
#[derive(Debug)]
struct Current(RwLock<Arc<CertifiedKey>>);

/// The reason why certificates or a key cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IdentityError {
    /// A text is not usable PEM.
    #[error("could not read the {part} from PEM: {reason}")]
    Pem {
        /// The name of the text.
        part: &'static str,
        /// The reason why it is not usable.
        reason: String,
    },
    /// The key does not belong to the first certificate, or its kind is unknown.
    #[error("could not use the certificates and the key: {0}")]
    Mismatch(String),
    /// The roots for client certificates cannot be used.
    #[error("could not use the roots for client certificates: {0}")]
    ClientRoots(String),
}

impl Identity {
    /// Creates an identity from certificates and a private key, both in PEM. The server's own certificate is
    /// the first, followed by those that lead to a root. The key is that of the first certificate.
    ///
    /// # Errors
    /// [`IdentityError`] if a text is not PEM, the key is encrypted, or the two do not belong together.
    pub fn from_pem(certificates: &[u8], key: &[u8]) -> Result<Self, IdentityError> {
        let current = Arc::new(Current(RwLock::new(certified_key(certificates, key)?)));
        let config = config(Arc::clone(&current), Arc::new(NoClientAuth))?;
        Ok(Self { config: Arc::new(config), current })
    }

    /// Replaces the certificates and the key of this identity and all its clones, so that a certificate
    /// can be renewed while the server runs. Later TLS handshakes use the new ones; open connections are
    /// not affected.
    ///
    /// # Errors
    /// As [`from_pem`](Self::from_pem). The previous certificates stay in use.
    pub fn replace(&self, certificates: &[u8], key: &[u8]) -> Result<(), IdentityError> {
        let new = certified_key(certificates, key)?;
        *self.current.0.write().unwrap_or_else(PoisonError::into_inner) = new;
        Ok(())
    }

    /// Requires a client certificate that leads to one of the roots in `roots`, which is PEM. The TLS
    /// handshake of any other client fails.
    ///
    /// # Errors
    /// [`IdentityError::ClientRoots`] if `roots` contains no certificate, or one that cannot be a root.
    pub fn require_client_certificate(self, roots: &[u8]) -> Result<Self, IdentityError> {
        let verifier =
            WebPkiClientVerifier::builder_with_provider(client_roots(roots)?, provider());
        self.with_client_verifier(verifier.build().map_err(bad_client_roots)?)
    }

    /// Asks for a client certificate as [`require_client_certificate`](Self::require_client_certificate)
    /// does, but also accepts clients that present no certificate.
    ///
    /// # Errors
    /// [`IdentityError::ClientRoots`] if `roots` contains no certificate, or one that cannot be a root.
    pub fn request_client_certificate(self, roots: &[u8]) -> Result<Self, IdentityError> {
        let verifier =
            WebPkiClientVerifier::builder_with_provider(client_roots(roots)?, provider())
                .allow_unauthenticated();
        self.with_client_verifier(verifier.build().map_err(bad_client_roots)?)
    }

    fn with_client_verifier(
        self,
        verifier: Arc<dyn ClientCertVerifier>,
    ) -> Result<Self, IdentityError> {
        let config = config(Arc::clone(&self.current), verifier)?;
        Ok(Self { config: Arc::new(config), ..self })
    }

    /// Returns an acceptor that prefers the protocol `preferred` of ALPN, if there is one, to HTTP/1.1.
    pub(crate) fn acceptor(&self, preferred: Option<&[u8]>) -> TlsAcceptor {
        let mut config = Arc::clone(&self.config);
        if let Some(preferred) = preferred {
            Arc::make_mut(&mut config).alpn_protocols.insert(0, preferred.to_vec());
        }
        TlsAcceptor::from(config)
    }
}

impl ResolvesServerCert for Current {
    fn resolve(&self, _client_hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner)))
    }
}

fn certified_key(certificates: &[u8], key: &[u8]) -> Result<Arc<CertifiedKey>, IdentityError> {
    pem::certified_key(["certificates", "private key"], certificates, key).map_err(|error| {
        match error {
            KeyError::Pem(part, reason) => IdentityError::Pem { part, reason },
            KeyError::Unusable(reason) => IdentityError::Mismatch(reason),
        }
    })
}

fn config(
    current: Arc<Current>,
    clients: Arc<dyn ClientCertVerifier>,
) -> Result<ServerConfig, IdentityError> {
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(|error| IdentityError::Mismatch(error.to_string()))?
        .with_client_cert_verifier(clients)
        .with_cert_resolver(current);
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

fn client_roots(pem: &[u8]) -> Result<Arc<RootCertStore>, IdentityError> {
    let mut roots = RootCertStore::empty();
    for root in pem::certificates(pem).map_err(bad_client_roots)? {
        roots.add(root).map_err(bad_client_roots)?;
    }
    Ok(Arc::new(roots))
}

fn bad_client_roots(error: impl ToString) -> IdentityError {
    IdentityError::ClientRoots(error.to_string())
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").finish_non_exhaustive()
    }
}
