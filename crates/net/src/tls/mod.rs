//! TLS, implemented by rustls. The cryptography is always `ring`, even if the process has another default.

mod builder;
mod der;
mod identity;
mod pem;
mod verifier;

use std::io;
use std::sync::{Arc, OnceLock};

use rustls::crypto::CryptoProvider;
use rustls::pki_types::ServerName;
use rustls::{AlertDescription, CertificateError, ClientConfig, ClientConnection, Error};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;

use self::verifier::{Observed, Verifier};
use crate::observer::{ConnectObserver, ConnectStep};
use crate::tls_error::TlsConfigError;

pub use builder::TlsBuilder;
pub use identity::{Identity, IdentityError};
pub(crate) use tokio_rustls::{TlsAcceptor as Acceptor, TlsStream as Stream};

/// TLS options of a client: which servers it trusts (RFC6455-10.6-1), and the certificate that it presents.
/// Cloning is cheap; build it once.
///
/// By default the certificate's chain, dates and names are verified, and the platform's roots are trusted.
///
/// TLS 1.3 is supported, and also TLS 1.2 with ECDHE and AES-GCM or ChaCha20-Poly1305. A server that offers
/// only CBC cipher suites, or key exchange by DHE or RSA, cannot be reached, because these are considered
/// weak.
#[derive(Clone)]
pub struct Tls {
    config: Arc<ClientConfig>,
    /// The verifier of `config`, which has no getter for it.
    verifier: Arc<Verifier>,
    /// The server name to use instead of the host's name.
    server_name: Option<ServerName<'static>>,
}

impl Tls {
    /// Trusts the platform's roots.
    ///
    /// # Errors
    /// [`TlsConfigError::Roots`] if the platform has none.
    pub fn platform() -> Result<Self, TlsConfigError> {
        Self::builder().build()
    }

    /// Trusts the platform's roots and the certificates of `pem`, such as a private CA.
    ///
    /// # Errors
    /// [`TlsConfigError`] if `pem` contains no certificate, or one that cannot be a root.
    pub fn with_extra_roots(pem: &[u8]) -> Result<Self, TlsConfigError> {
        Self::builder().extra_roots(pem).build()
    }

    /// Returns a builder with all options.
    pub fn builder() -> TlsBuilder {
        TlsBuilder::default()
    }

    /// Returns the default options. The process reads the platform's roots once and reuses them in later calls.
    pub(crate) fn shared_platform() -> Result<Self, TlsConfigError> {
        static PLATFORM: OnceLock<Tls> = OnceLock::new();
        if let Some(tls) = PLATFORM.get() {
            return Ok(tls.clone());
        }
        let tls = Self::platform()?;
        Ok(PLATFORM.get_or_init(|| tls).clone())
    }

    /// Performs the TLS handshake as a client of `host`. Offers the protocol `preferred` of ALPN, if there is one,
    /// before HTTP/1.1.
    pub(crate) async fn connect<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        stream: S,
        host: &str,
        observer: Option<&Arc<dyn ConnectObserver>>,
        preferred: Option<&[u8]>,
    ) -> io::Result<Stream<S>> {
        let connector = self.connector(observer, preferred);
        let stream = connector.connect(self.name_of(host)?, stream).await?;
        if let Some(observer) = observer {
            tell(observer.as_ref(), stream.get_ref().1);
        }
        Ok(stream.into())
    }

    /// Returns a connector. With an observer, each connection has a new verifier. rustls resumes a session
    /// only with the same verifier, so the server always presents its certificates.
    fn connector(
        &self,
        observer: Option<&Arc<dyn ConnectObserver>>,
        preferred: Option<&[u8]>,
    ) -> TlsConnector {
        let mut config = Arc::clone(&self.config);
        if let Some(preferred) = preferred {
            Arc::make_mut(&mut config).alpn_protocols.insert(0, preferred.to_vec());
        }
        if let Some(observer) = observer {
            let observed = Observed::new(Arc::clone(&self.verifier), Arc::clone(observer));
            let config = Arc::make_mut(&mut config);
            config.dangerous().set_certificate_verifier(Arc::new(observed));
        }
        TlsConnector::from(config)
    }

    /// Returns whether these are the same options: one is a clone of the other.
    #[cfg(feature = "http2")]
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.config, &other.config) && self.server_name == other.server_name
    }

    /// Returns the name that is sent to the server at `host` and that its certificate must have.
    fn name_of(&self, host: &str) -> io::Result<ServerName<'static>> {
        match &self.server_name {
            Some(name) => Ok(name.clone()),
            None => ServerName::try_from(host.to_owned())
                .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error)),
        }
    }
}

/// Returns the cryptography of all connections. It is `ring` even if another provider is compiled in.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tls").field("server_name", &self.server_name).finish_non_exhaustive()
    }
}

/// Returns the certificates of the peer in DER. The peer's own certificate is the first.
pub(crate) fn peer_certificates<S>(stream: &Stream<S>) -> impl Iterator<Item = &[u8]> {
    let chain = stream.get_ref().1.peer_certificates().unwrap_or_default();
    chain.iter().map(|certificate| certificate.as_ref())
}

/// Returns the protocol that the handshake has agreed on by ALPN.
pub(crate) fn alpn<S>(stream: &Stream<S>) -> Option<&[u8]> {
    stream.get_ref().1.alpn_protocol()
}

fn tell(observer: &dyn ConnectObserver, session: &ClientConnection) {
    if let Some(version) = session.protocol_version().and_then(|version| version.as_str())
        && let Some(suite) = session.negotiated_cipher_suite()
        && let Some(cipher) = suite.suite().as_str()
    {
        let alpn = session.alpn_protocol().and_then(|name| str::from_utf8(name).ok());
        observer.observe(ConnectStep::Tls { version, cipher, alpn });
    }
}

/// Returns the number of the alert with which the peer ended TLS (RFC 8446, section 6).
pub(crate) fn alert(error: &io::Error) -> Option<u8> {
    match error.get_ref().and_then(|error| error.downcast_ref::<Error>()) {
        Some(Error::AlertReceived(alert)) => Some((*alert).into()),
        _ => None,
    }
}

/// Explains a TLS error to a user. Adds advice for some errors.
pub(crate) fn explain(error: &io::Error) -> String {
    let Some(cause) = error.get_ref().and_then(|error| error.downcast_ref::<Error>()) else {
        return match error.kind() {
            io::ErrorKind::UnexpectedEof => {
                "the connection ended during the TLS handshake; is it a ws:// address?".into()
            }
            _ => error.to_string(),
        };
    };
    match cause {
        Error::InvalidCertificate(CertificateError::UnknownIssuer) => {
            "certificate signed by an unknown authority; add the authority to the trusted roots"
                .into()
        }
        Error::InvalidCertificate(
            CertificateError::Expired | CertificateError::ExpiredContext { .. },
        ) => "the server's certificate has expired".into(),
        // Errors of our own verifier.
        Error::InvalidCertificate(CertificateError::Other(error)) => error.to_string(),
        Error::InvalidMessage(_) => {
            "the server does not speak TLS on this port; is it a ws:// address?".into()
        }
        Error::AlertReceived(
            alert @ (AlertDescription::HandshakeFailure
            | AlertDescription::InsufficientSecurity
            | AlertDescription::ProtocolVersion),
        ) => format!(
            "the server refused all offered versions, ciphers and signatures ({alert:?}). Offered are \
             TLS 1.3, and TLS 1.2 with ECDHE and AES-GCM or ChaCha20-Poly1305; CBC, DHE, RSA key exchange \
             and P-521 are not supported: enable a newer cipher on the server"
        ),
        _ => cause.to_string(),
    }
}
