use std::fmt;
use std::iter;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_name;
use rustls::crypto::ring::cipher_suite::TLS13_AES_128_GCM_SHA256;
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls13_signature_with_raw_key};
use rustls::pki_types::{CertificateDer, ServerName, SubjectPublicKeyInfoDer, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{
    CertificateError, DigitallySignedStruct, Error, OtherError, PeerMisbehaved, SignatureScheme,
};

use super::der::{Certificate, PublicKey};
use super::provider;
use crate::observer::{ConnectObserver, ConnectStep};

/// Verifies a server's certificate and its signature of the handshake.
#[derive(Debug)]
pub(super) struct Verifier {
    trust: Trust,
    /// If not empty, the server's public key must have one of these hashes.
    pins: Vec<PublicKeyHash>,
    algorithms: WebPkiSupportedAlgorithms,
}

#[derive(Debug)]
pub(super) enum Trust {
    /// Certificates whose chain leads to a trusted root, and certificates that are given themselves.
    Roots {
        /// One of these must accept the chain: that of the given roots, or that of the platform.
        chains: Vec<Arc<dyn ServerCertVerifier>>,
        given: Vec<CertificateDer<'static>>,
        /// Whether certificates in the file of `SSL_CERT_FILE` count as given.
        platform: bool,
    },
    /// Every certificate.
    Any,
}

/// The SHA-256 of a public key, over its SubjectPublicKeyInfo in DER.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct PublicKeyHash(pub(super) [u8; 32]);

/// Shows the server's certificates to an observer before `verifier` verifies them.
#[derive(Debug)]
pub(super) struct Observed {
    verifier: Arc<Verifier>,
    observer: Arc<dyn ConnectObserver>,
}

#[derive(Debug, thiserror::Error)]
#[error(
    "the SHA-256 of the server's public key is {0:?}, which is not pinned; pin it if the server has a \
     new key"
)]
struct NotPinnedError(PublicKeyHash);

#[derive(Debug, thiserror::Error)]
#[error(
    "the server has {0}; this client checks signatures of RSA keys from 2048 to 8192 bits, P-256, P-384 \
     and Ed25519"
)]
struct UnsupportedKeyError(String);

impl Verifier {
    pub(super) fn new(trust: Trust, pins: Vec<PublicKeyHash>) -> Self {
        Self { trust, pins, algorithms: provider().signature_verification_algorithms }
    }

    fn check_pins(&self, key: &PublicKey<'_>) -> Result<(), Error> {
        if self.pins.is_empty() {
            return Ok(());
        }
        let hash = PublicKeyHash::of(key);
        if self.pins.contains(&hash) { Ok(()) } else { Err(other_error(NotPinnedError(hash))) }
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if let Trust::Roots { chains, given, platform } = &self.trust {
            let verify_chain = |chain: &Arc<dyn ServerCertVerifier>| {
                chain.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
            };
            // A self-signed certificate is often also a CA certificate. webpki does not accept that as a
            // server's own certificate.
            if given.contains(end_entity) {
                verify_given(end_entity, server_name, now)?;
            } else if let Err(error) = any(chains.iter().map(verify_chain)) {
                let is_odd = matches!(error, Error::InvalidCertificate(CertificateError::Other(_)));
                if !(is_odd && *platform && environment_gives(end_entity)) {
                    return Err(error);
                }
                verify_given(end_entity, server_name, now)?;
            }
        }
        self.check_pins(&Certificate::parse(end_entity)?.public_key)?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let key = Certificate::parse(certificate)?.public_key;
        let mapping = self.algorithms.mapping;
        let Some((_, algorithms)) = mapping.iter().find(|(scheme, _)| *scheme == signed.scheme)
        else {
            return Err(PeerMisbehaved::SignedHandshakeWithUnadvertisedSigScheme.into());
        };
        let is_valid = algorithms.iter().any(|algorithm| {
            algorithm.public_key_alg_id().as_ref() == key.algorithm
                && algorithm.verify_signature(key.key, message, signed.signature()).is_ok()
        });
        if is_valid {
            Ok(HandshakeSignatureValid::assertion())
        } else {
            Err(bad_signature(&key, CertificateError::BadSignature.into()))
        }
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let key = Certificate::parse(certificate)?.public_key;
        let info = SubjectPublicKeyInfoDer::from(key.info);
        verify_tls13_signature_with_raw_key(message, &info, signed, &self.algorithms)
            .map_err(|error| bad_signature(&key, error))
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

/// Returns the first success. Otherwise, returns the first error that says more than that the issuer is unknown.
fn any(
    results: impl Iterator<Item = Result<ServerCertVerified, Error>>,
) -> Result<ServerCertVerified, Error> {
    const UNKNOWN: Error = Error::InvalidCertificate(CertificateError::UnknownIssuer);
    let mut failure = UNKNOWN;
    for result in results {
        match result {
            Ok(verified) => return Ok(verified),
            Err(error) if failure == UNKNOWN => failure = error,
            Err(_) => {}
        }
    }
    Err(failure)
}

/// Verifies the dates and the name of a certificate that the application trusts directly.
fn verify_given(
    der: &CertificateDer<'_>,
    name: &ServerName<'_>,
    now: UnixTime,
) -> Result<(), Error> {
    let certificate = Certificate::parse(der)?;
    certificate.check_validity(now.as_secs())?;
    if certificate.has_alternative_names() {
        return verify_server_name(&ParsedCertificate::try_from(der)?, name);
    }
    // As in OpenSSL, a certificate without alternative names is valid for its common name.
    let common_name = certificate.common_name().unwrap_or_default();
    if common_name.eq_ignore_ascii_case(&name.to_str()) {
        Ok(())
    } else {
        Err(CertificateError::NotValidForNameContext {
            expected: name.to_owned(),
            presented: vec![common_name.to_owned()],
        }
        .into())
    }
}

/// Returns whether the file of `SSL_CERT_FILE` contains the certificate. If this variable is set, the
/// platform's roots come from that file.
fn environment_gives(certificate: &CertificateDer<'_>) -> bool {
    let Some(path) = std::env::var_os("SSL_CERT_FILE") else { return false };
    std::fs::read(path).is_ok_and(|pem| {
        super::pem::certificates(&pem).is_ok_and(|given| given.contains(certificate))
    })
}

/// Returns an error that names the kind of the key, if signatures of this kind cannot be checked. Otherwise,
/// returns `error`.
fn bad_signature(key: &PublicKey<'_>, error: Error) -> Error {
    match key.unsupported_kind() {
        Some(kind) => other_error(UnsupportedKeyError(kind)),
        None => error,
    }
}

fn other_error(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    CertificateError::Other(OtherError(Arc::new(error))).into()
}

impl PublicKeyHash {
    fn of(key: &PublicKey<'_>) -> Self {
        // rustls already contains an implementation of SHA-256.
        let suite = TLS13_AES_128_GCM_SHA256.tls13().expect("it is one of TLS 1.3");
        let hash = suite.common.hash_provider.hash(key.info);
        Self(hash.as_ref().try_into().expect("SHA-256 has 32 bytes"))
    }
}

impl fmt::Debug for PublicKeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl Observed {
    pub(super) fn new(verifier: Arc<Verifier>, observer: Arc<dyn ConnectObserver>) -> Self {
        Self { verifier, observer }
    }
}

impl ServerCertVerifier for Observed {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let chain: Vec<&[u8]> =
            iter::once(end_entity).chain(intermediates).map(AsRef::as_ref).collect();
        self.observer.observe(ConnectStep::Certificates { chain: &chain });
        self.verifier.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verifier.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verifier.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.verifier.supported_verify_schemes()
    }
}
