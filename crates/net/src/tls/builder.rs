use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::sign::SingleCertAndKey;
use rustls::{ClientConfig, KeyLogFile, RootCertStore};
use rustls_platform_verifier::Verifier as PlatformVerifier;

use super::pem::{self, KeyError};
use super::verifier::{self, PublicKeyHash, Verifier};
use super::{Tls, provider};
use crate::tls_error::TlsConfigError;

/// Builds a [`Tls`]. Start with [`Tls::builder`], and finish with [`build`](Self::build), which returns an
/// error if an option cannot be used.
///
/// ```no_run
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use fullduplex_net::Tls;
///
/// let tls = Tls::builder()
///     .only_roots(&std::fs::read("our-ca.pem")?)
///     .client_certificate(&std::fs::read("client.pem")?, &std::fs::read("client-key.pem")?)
///     .build()?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Default)]
#[must_use = "call `build` to get a `Tls`"]
pub struct TlsBuilder {
    trust: Trust,
    roots: Vec<Vec<u8>>,
    client: Option<(Vec<u8>, Vec<u8>)>,
    server_name: Option<String>,
    pins: Vec<PublicKeyHash>,
    key_log: KeyLog,
}

#[derive(Debug, Clone, Copy, Default)]
enum Trust {
    /// The platform's roots and those given.
    #[default]
    Platform,
    /// The given roots only.
    Given,
    /// Every certificate.
    Any,
}

/// Whether secrets of connections are written to the file of `SSLKEYLOGFILE`.
#[derive(Debug, Clone, Copy, Default)]
enum KeyLog {
    #[default]
    Off,
    On,
}

impl TlsBuilder {
    /// Trusts the certificates of `pem` in addition to those that are trusted already. A server whose own
    /// certificate is one of them is trusted too, for example if it is self-signed.
    ///
    /// Chains that lead to one of them are verified alike on every platform, without a check for revocation.
    pub fn extra_roots(mut self, pem: &[u8]) -> Self {
        self.roots.push(pem.to_vec());
        self
    }

    /// Trusts only the certificates of `pem`. Certificates of the platform and of earlier calls are not
    /// trusted.
    pub fn only_roots(mut self, pem: &[u8]) -> Self {
        self.trust = Trust::Given;
        self.roots = vec![pem.to_vec()];
        self
    }

    /// Presents a certificate to servers that ask for one. `certificates` is PEM with the client's own
    /// certificate first and then those that lead to a root; `key` is the private key of the client's own
    /// certificate, in PEM and not encrypted.
    pub fn client_certificate(mut self, certificates: &[u8], key: &[u8]) -> Self {
        self.client = Some((certificates.to_vec(), key.to_vec()));
        self
    }

    /// Requests this server name and verifies the certificate for it, instead of the URL's host
    /// (RFC6455-4.1-10). Use it for a server that is reached by an address or an alias.
    pub fn server_name(mut self, name: &str) -> Self {
        self.server_name = Some(name.to_owned());
        self
    }

    /// Accepts only servers whose public key has this SHA-256, over its SubjectPublicKeyInfo in DER as in
    /// RFC 7469. Each further call allows one more key. The certificate is still verified.
    ///
    /// `openssl x509 -in server.pem -pubkey -noout | openssl pkey -pubin -outform der | sha256sum`
    pub fn pin_public_key(mut self, sha256: [u8; 32]) -> Self {
        self.pins.push(PublicKeyHash(sha256));
        self
    }

    /// Appends the secrets of each connection to the file that the environment variable `SSLKEYLOGFILE`
    /// names, for tools such as Wireshark. Everybody who can read the file can decrypt the traffic.
    pub fn log_keys(mut self) -> Self {
        self.key_log = KeyLog::On;
        self
    }

    /// Accepts every certificate: self-signed, expired, for another host, of any version of X.509.
    /// **Anybody on the path can read and change everything.** Use it for experiments, or with
    /// [`pin_public_key`](Self::pin_public_key), which is still checked.
    ///
    /// The server must still sign the handshake with the certificate's key. The type of the key must be one
    /// of those whose signatures can be checked: RSA from 2048 to 8192 bits, P-256, P-384 or Ed25519.
    pub fn danger_accept_any_certificate(mut self) -> Self {
        self.trust = Trust::Any;
        self
    }

    /// Builds the options.
    ///
    /// # Errors
    /// [`TlsConfigError`] says what cannot be used.
    pub fn build(self) -> Result<Tls, TlsConfigError> {
        let server_name = match self.server_name {
            Some(name) => Some(
                ServerName::try_from(name.clone())
                    .map_err(|_| TlsConfigError::ServerName(name.clone()))?,
            ),
            None => None,
        };
        let verifier = Arc::new(Verifier::new(trust(self.trust, &self.roots)?, self.pins));
        let builder = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(bad_roots)?
            // rustls requires this call for every custom verifier.
            .dangerous()
            .with_custom_certificate_verifier(Arc::clone(&verifier) as Arc<_>);
        let mut config = match &self.client {
            None => builder.with_no_client_auth(),
            Some((certificates, key)) => {
                let names = ["client's certificate", "client's private key"];
                let certified = pem::certified_key(names, certificates, key);
                let certified = certified.map_err(|error| match error {
                    KeyError::Pem(part, reason) => TlsConfigError::Pem { part, reason },
                    KeyError::Unusable(reason) => TlsConfigError::Client(reason),
                })?;
                builder.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(certified)))
            }
        };
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        if let KeyLog::On = self.key_log {
            config.key_log = Arc::new(KeyLogFile::new());
        }
        Ok(Tls { config: Arc::new(config), verifier, server_name })
    }
}

fn trust(trust: Trust, roots: &[Vec<u8>]) -> Result<verifier::Trust, TlsConfigError> {
    let given: Vec<CertificateDer<'static>> = roots
        .iter()
        .map(|pem| pem::certificates(pem))
        .collect::<Result<Vec<_>, _>>()
        .map_err(|reason| TlsConfigError::Pem { part: "roots", reason })?
        .concat();
    if let Trust::Any = trust {
        return Ok(verifier::Trust::Any);
    }
    let mut chains = Vec::<Arc<dyn ServerCertVerifier>>::new();
    // Not by the platform: Android cannot add roots, and Wine refuses to.
    if !given.is_empty() {
        let mut store = RootCertStore::empty();
        for root in &given {
            store.add(root.clone()).map_err(bad_roots)?;
        }
        let chain = WebPkiServerVerifier::builder_with_provider(Arc::new(store), provider());
        chains.push(chain.build().map_err(bad_roots)?);
    }
    let platform = matches!(trust, Trust::Platform);
    if platform {
        match PlatformVerifier::new(provider()) {
            Ok(chain) => chains.push(Arc::new(chain)),
            // A minimal container has no roots of its own.
            Err(_) if !given.is_empty() => {}
            Err(error) => return Err(bad_roots(error)),
        }
    }
    Ok(verifier::Trust::Roots { chains, given, platform })
}

fn bad_roots(error: impl ToString) -> TlsConfigError {
    TlsConfigError::Roots(error.to_string())
}

impl std::fmt::Debug for TlsBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TlsBuilder")
            .field("trust", &self.trust)
            .field("server_name", &self.server_name)
            .field("pins", &self.pins)
            .finish_non_exhaustive()
    }
}
