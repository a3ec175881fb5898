use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, KeyLogFile, RootCertStore};
use rustls_platform_verifier::Verifier;

use super::verifier::{AnyCertificate, Pinned, PublicKeyHash};
use super::{Tls, pem, provider};

/// Makes a [`Tls`]: from [`Tls::builder`], by some of the methods, to [`build`](Self::build), which
/// reports what cannot be used.
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
pub struct TlsBuilder {
    trust: Trust,
    roots: Vec<Vec<u8>>,
    client: Option<(Vec<u8>, Vec<u8>)>,
    server_name: Option<String>,
    pins: Vec<PublicKeyHash>,
    secrets: Secrets,
}

#[derive(Debug, Clone, Copy, Default)]
enum Trust {
    /// The platform's roots, and those given.
    #[default]
    Platform,
    /// Those given, and no others.
    Given,
    Anyone,
}

/// What becomes of the secrets of a connection.
#[derive(Debug, Clone, Copy, Default)]
enum Secrets {
    #[default]
    Kept,
    /// Anybody who reads the file can read what is said.
    Logged,
}

/// A [`Tls`] cannot be made of what was given.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TlsConfigError {
    /// A text given is not PEM, or has not what it should have.
    #[error("the {part} cannot be read from PEM: {reason}")]
    Pem {
        /// Which of them.
        part: &'static str,
        /// What is wrong.
        reason: String,
    },
    /// The platform has no usable roots, or one of those given is no certificate.
    #[error("no TLS without trusted roots: {0}")]
    Roots(String),
    /// The client's key is not that of its certificate, or of a kind that is not known.
    #[error("the client's certificate and its key cannot be used: {0}")]
    Client(String),
    /// Neither a DNS name nor an IP address.
    #[error("`{0}` is not the name of a server")]
    ServerName(String),
}

impl TlsBuilder {
    /// Trusts the certificates of `pem` besides those that are trusted already.
    pub fn extra_roots(mut self, pem: &[u8]) -> Self {
        self.roots.push(pem.to_vec());
        self
    }

    /// Trusts the certificates of `pem`, and not those of the platform, nor those given before.
    pub fn only_roots(mut self, pem: &[u8]) -> Self {
        self.trust = Trust::Given;
        self.roots = vec![pem.to_vec()];
        self
    }

    /// Shows a certificate to servers that ask for one: in PEM, the client's own first and those that
    /// lead to a root behind it, and its private key, in PEM as well.
    pub fn client_certificate(mut self, certificates: &[u8], key: &[u8]) -> Self {
        self.client = Some((certificates.to_vec(), key.to_vec()));
        self
    }

    /// Asks for the server of this name, and takes its certificate, instead of that of the URL's host
    /// (RFC6455-4.1-10): for a server that is reached by an address or an alias.
    pub fn server_name(mut self, name: &str) -> Self {
        self.server_name = Some(name.to_owned());
        self
    }

    /// Takes only servers whose public key has this SHA-256, over its SubjectPublicKeyInfo in DER as in
    /// RFC 7469; or one of these, if it is called again. The certificate is verified besides.
    ///
    /// `openssl x509 -in server.pem -pubkey -noout | openssl pkey -pubin -outform der | sha256sum`
    pub fn pin_public_key(mut self, sha256: [u8; 32]) -> Self {
        self.pins.push(PublicKeyHash(sha256));
        self
    }

    /// Appends the secrets of each connection to the file that the environment's `SSLKEYLOGFILE` names,
    /// where it does, for tools that show recorded traffic. Whoever has them reads everything.
    pub fn log_keys(mut self) -> Self {
        self.secrets = Secrets::Logged;
        self
    }

    /// Takes any certificate of anybody. **Whoever is on the way can read and change everything**: this
    /// is for experiments, and for servers whose key is pinned by
    /// [`pin_public_key`](Self::pin_public_key), which still holds.
    pub fn danger_accept_any_certificate(mut self) -> Self {
        self.trust = Trust::Anyone;
        self
    }

    /// Makes it.
    ///
    /// # Errors
    /// [`TlsConfigError`] says what cannot be used.
    pub fn build(self) -> Result<Tls, TlsConfigError> {
        let bad_roots = |error: rustls::Error| TlsConfigError::Roots(error.to_string());
        let server_name = match self.server_name {
            Some(name) => Some(
                ServerName::try_from(name.clone())
                    .map_err(|_| TlsConfigError::ServerName(name.clone()))?,
            ),
            None => None,
        };
        let mut verifier = verifier(self.trust, &self.roots)?;
        if !self.pins.is_empty() {
            verifier = Arc::new(Pinned::new(verifier, self.pins));
        }
        let builder = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(bad_roots)?
            // What rustls calls dangerous is to bring a verifier.
            .dangerous()
            .with_custom_certificate_verifier(Arc::clone(&verifier));
        let mut config = match &self.client {
            None => builder.with_no_client_auth(),
            Some((certificates, key)) => {
                let bad = |part| move |reason| TlsConfigError::Pem { part, reason };
                let chain = pem::certificates(certificates).map_err(bad("client's certificate"))?;
                let key = pem::private_key(key).map_err(bad("client's private key"))?;
                builder
                    .with_client_auth_cert(chain, key)
                    .map_err(|error| TlsConfigError::Client(error.to_string()))?
            }
        };
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        if let Secrets::Logged = self.secrets {
            config.key_log = Arc::new(KeyLogFile::new());
        }
        Ok(Tls { config: Arc::new(config), verifier, server_name })
    }
}

fn verifier(
    trust: Trust,
    roots: &[Vec<u8>],
) -> Result<Arc<dyn ServerCertVerifier>, TlsConfigError> {
    let provider = provider();
    let bad = |error: &dyn std::fmt::Display| TlsConfigError::Roots(error.to_string());
    let roots: Vec<CertificateDer<'static>> = roots
        .iter()
        .map(|pem| pem::certificates(pem))
        .collect::<Result<Vec<_>, _>>()
        .map_err(|reason| TlsConfigError::Pem { part: "roots", reason })?
        .concat();
    Ok(match trust {
        Trust::Platform => {
            Arc::new(Verifier::new_with_extra_roots(roots, provider).map_err(|error| bad(&error))?)
        }
        Trust::Given => {
            let mut store = RootCertStore::empty();
            for root in roots {
                store.add(root).map_err(|error| bad(&error))?;
            }
            WebPkiServerVerifier::builder_with_provider(Arc::new(store), provider)
                .build()
                .map_err(|error| bad(&error))?
        }
        Trust::Anyone => Arc::new(AnyCertificate::new(provider)),
    })
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
