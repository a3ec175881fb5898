use std::io;
use std::sync::{Arc, OnceLock};

use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{CertificateError, ClientConfig, ServerConfig};
use rustls_platform_verifier::Verifier;
use tokio_rustls::{TlsAcceptor, TlsConnector};

/// Whom a client trusts when it connects over TLS (RFC6455-10.6-1). Cloning it is cheap; make it once.
///
/// The certificate's chain, dates and names are always verified. The cryptography is `ring`,
/// chosen here and not by a process-wide default.
#[derive(Clone)]
pub struct Tls(Arc<ClientConfig>);

/// The roots cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BadRoots {
    /// The text given is not PEM, or has no certificate.
    #[error("the extra roots are no PEM certificates: {0}")]
    Pem(String),
    /// The platform has no usable roots, or one of those given is no certificate.
    #[error("no TLS without trusted roots: {0}")]
    Roots(String),
}

impl Tls {
    /// Trusts the roots that the platform trusts.
    ///
    /// # Errors
    /// [`BadRoots::Roots`] if the platform has none.
    pub fn platform() -> Result<Self, BadRoots> {
        Self::with_roots(Vec::new())
    }

    /// The platform's roots, read once for all connections that ask for nothing else.
    pub(crate) fn shared_platform() -> Result<Self, BadRoots> {
        static PLATFORM: OnceLock<Tls> = OnceLock::new();
        if let Some(tls) = PLATFORM.get() {
            return Ok(tls.clone());
        }
        let tls = Self::platform()?;
        Ok(PLATFORM.get_or_init(|| tls).clone())
    }

    /// Trusts the roots that the platform trusts, and the certificates of `pem` besides: a private CA.
    ///
    /// # Errors
    /// [`BadRoots`] if `pem` holds no certificate, or one that cannot be a root.
    pub fn with_extra_roots(pem: &[u8]) -> Result<Self, BadRoots> {
        let roots = CertificateDer::pem_slice_iter(pem).collect::<Result<Vec<_>, _>>();
        match roots {
            Ok(roots) if roots.is_empty() => Err(BadRoots::Pem("there is none in the text".into())),
            Ok(roots) => Self::with_roots(roots),
            Err(error) => Err(BadRoots::Pem(error.to_string())),
        }
    }

    fn with_roots(roots: Vec<CertificateDer<'static>>) -> Result<Self, BadRoots> {
        let bad = |error: rustls::Error| BadRoots::Roots(error.to_string());
        let provider = provider();
        let verifier: Arc<dyn ServerCertVerifier> =
            Arc::new(Verifier::new_with_extra_roots(roots, Arc::clone(&provider)).map_err(bad)?);
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(bad)?
            // What rustls calls dangerous is to bring a verifier; this is the platform's own.
            .dangerous()
            .with_custom_certificate_verifier(verifier)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self(Arc::new(config)))
    }

    pub(crate) fn connector(&self) -> TlsConnector {
        TlsConnector::from(Arc::clone(&self.0))
    }
}

/// What a server shows to clients that connect over TLS: its certificates, and the key to the first.
/// Cloning it is cheap.
#[derive(Clone)]
pub struct Identity(Arc<ServerConfig>);

/// The certificates or the key cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BadIdentity {
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
    /// [`BadIdentity`].
    pub fn from_pem(certificates: &[u8], key: &[u8]) -> Result<Self, BadIdentity> {
        let bad =
            |part| move |reason: pem::Error| BadIdentity::Pem { part, reason: reason.to_string() };
        let chain = CertificateDer::pem_slice_iter(certificates)
            .collect::<Result<Vec<_>, _>>()
            .map_err(bad("certificates"))?;
        let key = PrivateKeyDer::from_pem_slice(key).map_err(bad("private key"))?;
        let mismatch = |error: rustls::Error| BadIdentity::Mismatch(error.to_string());
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

/// The one that is used everywhere, whatever else is compiled in.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tls").finish_non_exhaustive()
    }
}

/// What an error of TLS means for whoever connects, where the library's words are for its authors.
pub(crate) fn explain(error: &io::Error) -> String {
    let cause = error.get_ref().and_then(|error| error.downcast_ref::<rustls::Error>());
    match cause {
        Some(rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer)) => {
            "the server's certificate is signed by nobody whom this client trusts; a private CA can \
             be trusted besides the platform's"
                .into()
        }
        Some(rustls::Error::InvalidCertificate(
            CertificateError::Expired | CertificateError::ExpiredContext { .. },
        )) => "the server's certificate has expired".into(),
        Some(rustls::Error::InvalidMessage(_)) => {
            "the server does not speak TLS there; is it a ws:// address?".into()
        }
        _ => error.to_string(),
    }
}
