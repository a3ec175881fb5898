//! TLS, by rustls. The cryptography is `ring`, chosen here and not by a process-wide default.

mod builder;
mod identity;
mod pem;
mod verifier;

use std::io;
use std::sync::{Arc, OnceLock};

use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::ServerName;
use rustls::{CertificateError, ClientConfig};
use tokio_rustls::TlsConnector;

use self::verifier::Observed;
use crate::client::observer::ConnectObserver;

pub use builder::{TlsBuilder, TlsConfigError};
pub use identity::{Identity, IdentityError};

/// Whom a client trusts when it connects over TLS (RFC6455-10.6-1), and what it shows of itself.
/// Cloning it is cheap; make it once.
///
/// Unless [`TlsBuilder`] is told otherwise, the certificate's chain, dates and names are verified, and
/// the platform's roots are trusted.
#[derive(Clone)]
pub struct Tls {
    config: Arc<ClientConfig>,
    /// That of the configuration, which does not show it.
    verifier: Arc<dyn ServerCertVerifier>,
    /// Instead of the host that is connected to.
    server_name: Option<ServerName<'static>>,
}

impl Tls {
    /// Trusts the roots that the platform trusts.
    ///
    /// # Errors
    /// [`TlsConfigError::Roots`] if the platform has none.
    pub fn platform() -> Result<Self, TlsConfigError> {
        Self::builder().build()
    }

    /// Trusts the roots that the platform trusts, and the certificates of `pem` besides: a private CA.
    ///
    /// # Errors
    /// [`TlsConfigError`] if `pem` holds no certificate, or one that cannot be a root.
    pub fn with_extra_roots(pem: &[u8]) -> Result<Self, TlsConfigError> {
        Self::builder().extra_roots(pem).build()
    }

    /// Everything else that can be chosen.
    pub fn builder() -> TlsBuilder {
        TlsBuilder::default()
    }

    /// The platform's roots, read once for all connections that ask for nothing else.
    pub(crate) fn shared_platform() -> Result<Self, TlsConfigError> {
        static PLATFORM: OnceLock<Tls> = OnceLock::new();
        if let Some(tls) = PLATFORM.get() {
            return Ok(tls.clone());
        }
        let tls = Self::platform()?;
        Ok(PLATFORM.get_or_init(|| tls).clone())
    }

    /// With an observer, it resumes no session, for rustls does so under the same verifier only: so the
    /// server always shows its certificates.
    pub(crate) fn connector(&self, observer: Option<&Arc<dyn ConnectObserver>>) -> TlsConnector {
        let mut config = Arc::clone(&self.config);
        if let Some(observer) = observer {
            let observed = Observed::new(Arc::clone(&self.verifier), Arc::clone(observer));
            let config = Arc::make_mut(&mut config);
            config.dangerous().set_certificate_verifier(Arc::new(observed));
        }
        TlsConnector::from(config)
    }

    /// The name that is sent to the server at `host`, and that its certificate must bear.
    pub(crate) fn name_of(&self, host: &str) -> io::Result<ServerName<'static>> {
        match &self.server_name {
            Some(name) => Ok(name.clone()),
            None => ServerName::try_from(host.to_owned())
                .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error)),
        }
    }
}

/// The one that is used everywhere, whatever else is compiled in.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tls").field("server_name", &self.server_name).finish_non_exhaustive()
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
        // Of this crate's own verifier.
        Some(rustls::Error::InvalidCertificate(CertificateError::Other(error))) => {
            error.to_string()
        }
        Some(rustls::Error::InvalidMessage(_)) => {
            "the server does not speak TLS there; is it a ws:// address?".into()
        }
        _ => error.to_string(),
    }
}
