use std::fmt;
use std::iter;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::ring::cipher_suite::TLS13_AES_128_GCM_SHA256;
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, OtherError, SignatureScheme,
};

use crate::client::observer::{ConnectObserver, ConnectStep};

/// The SHA-256 of a public key, over its SubjectPublicKeyInfo in DER.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct PublicKeyHash(pub(super) [u8; 32]);

/// Takes only certificates of some keys, which another verifier has to take as well.
#[derive(Debug)]
pub(super) struct Pinned {
    verifier: Arc<dyn ServerCertVerifier>,
    pins: Vec<PublicKeyHash>,
}

/// Tells an observer which certificates the server shows; what another verifier says of them counts.
#[derive(Debug)]
pub(super) struct Observed {
    verifier: Arc<dyn ServerCertVerifier>,
    observer: Arc<dyn ConnectObserver>,
}

/// Takes every certificate; that the server has its key is still verified.
#[derive(Debug)]
pub(super) struct AnyCertificate(Arc<CryptoProvider>);

#[derive(Debug, thiserror::Error)]
#[error("the server's public key has the SHA-256 {0:?}, which is none of those that are pinned")]
struct NotPinned(PublicKeyHash);

/// What a verifier leaves to the one within it.
macro_rules! forward_the_rest {
    () => {
        fn verify_tls12_signature(
            &self,
            message: &[u8],
            cert: &CertificateDer<'_>,
            dss: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            self.verifier.verify_tls12_signature(message, cert, dss)
        }

        fn verify_tls13_signature(
            &self,
            message: &[u8],
            cert: &CertificateDer<'_>,
            dss: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            self.verifier.verify_tls13_signature(message, cert, dss)
        }

        fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
            self.verifier.supported_verify_schemes()
        }

        fn root_hint_subjects(&self) -> Option<&[DistinguishedName]> {
            self.verifier.root_hint_subjects()
        }
    };
}

impl PublicKeyHash {
    fn of(certificate: &CertificateDer<'_>) -> Result<Self, Error> {
        let key = ParsedCertificate::try_from(certificate)?.subject_public_key_info();
        // The SHA-256 that is there already.
        let suite = TLS13_AES_128_GCM_SHA256.tls13().expect("it is one of TLS 1.3");
        let hash = suite.common.hash_provider.hash(&key);
        Ok(Self(hash.as_ref().try_into().expect("SHA-256 has 32 bytes")))
    }
}

impl fmt::Debug for PublicKeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl Pinned {
    pub(super) fn new(verifier: Arc<dyn ServerCertVerifier>, pins: Vec<PublicKeyHash>) -> Self {
        Self { verifier, pins }
    }
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verified = self.verifier.verify_server_cert(
            end_entity,
            intermediates,
            server_name,
            ocsp_response,
            now,
        )?;
        let hash = PublicKeyHash::of(end_entity)?;
        if self.pins.contains(&hash) {
            Ok(verified)
        } else {
            let error = OtherError(Arc::new(NotPinned(hash)));
            Err(Error::InvalidCertificate(CertificateError::Other(error)))
        }
    }

    forward_the_rest!();
}

impl Observed {
    pub(super) fn new(
        verifier: Arc<dyn ServerCertVerifier>,
        observer: Arc<dyn ConnectObserver>,
    ) -> Self {
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

    forward_the_rest!();
}

impl AnyCertificate {
    pub(super) fn new(provider: Arc<CryptoProvider>) -> Self {
        Self(provider)
    }
}

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
