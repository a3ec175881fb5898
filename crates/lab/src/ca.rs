//! A private certificate authority for tests of TLS.

use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose, PublicKeyData, date_time_ymd,
};
use rustls::crypto::ring::cipher_suite::TLS13_AES_128_GCM_SHA256;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{RootCertStore, ServerConfig, SupportedProtocolVersion};
use tokio_rustls::TlsAcceptor;

/// A root certificate and its key.
#[derive(Debug)]
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

/// When a certificate is valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Validity {
    /// For centuries before and after today.
    Now,
    /// Only in January 2020.
    Expired,
}

/// The certificate and key of a server or a client.
#[derive(Debug, Clone)]
pub struct Identity {
    /// The certificate, without the root that signed it.
    pub cert_pem: String,
    /// The private key.
    pub key_pem: String,
}

impl Authority {
    /// Creates a root with a new key.
    pub fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = new_key();
        // Each root has its own name, so the issuer name in a certificate matches only one root.
        let name = format!("fullduplex lab root {:02x?}", &key.public_key_raw()[1..9]);
        params.distinguished_name.push(DnType::CommonName, name);
        let root = CertifiedIssuer::self_signed(params, key);
        Self(root.expect("the key signs its own certificate"))
    }

    /// Returns the root certificate, which a client needs to trust this authority.
    pub fn root_pem(&self) -> String {
        self.0.pem()
    }

    /// Creates a self-signed CA certificate, as `openssl req -x509` does. `name` is the common name, and also
    /// an alternative name if `alternative` is true.
    pub fn self_signed(name: &str, alternative: bool) -> Identity {
        let names = if alternative { vec![name.to_owned()] } else { Vec::new() };
        let mut params = CertificateParams::new(names).expect("the name is valid");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        let key = new_key();
        let cert = params.self_signed(&key).expect("the key signs its own certificate");
        Identity { cert_pem: cert.pem(), key_pem: key.serialize_pem() }
    }

    /// Issues a certificate for `names`, which may be DNS names and IP addresses.
    pub fn issue(&self, names: &[&str], validity: Validity) -> Identity {
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        let mut params = CertificateParams::new(names).expect("the names are valid");
        params.distinguished_name.push(DnType::CommonName, "fullduplex lab server");
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        params.use_authority_key_identifier_extension = true;
        if validity == Validity::Expired {
            params.not_before = date_time_ymd(2020, 1, 1);
            params.not_after = date_time_ymd(2020, 2, 1);
        }
        let key = new_key();
        let cert = params.signed_by(&key, &self.0).expect("the root signs the certificate");
        Identity { cert_pem: cert.pem(), key_pem: key.serialize_pem() }
    }
}

impl Default for Authority {
    fn default() -> Self {
        Self::new()
    }
}

impl Identity {
    /// Returns this identity for our server.
    pub fn of_server(&self) -> fullduplex_net::Identity {
        fullduplex_net::Identity::from_pem(self.cert_pem.as_bytes(), self.key_pem.as_bytes())
            .expect("key and certificate match")
    }

    /// Returns a TLS acceptor with this identity.
    pub fn acceptor(&self) -> TlsAcceptor {
        self.acceptor_for(None)
    }

    /// Returns a TLS acceptor that requires client certificates of `authority`.
    pub fn acceptor_for_clients_of(&self, authority: &Authority) -> TlsAcceptor {
        self.acceptor_for(Some(authority))
    }

    /// Returns the TLS acceptor of an impostor, for this version of TLS. The acceptor presents the
    /// certificate of this identity and signs with the key of another identity.
    pub fn impostor(&self, key: &Self, version: &'static SupportedProtocolVersion) -> TlsAcceptor {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let key = provider.key_provider.load_private_key(key.key()).expect("the key is valid");
        let shown = CertifiedKey::new(self.chain(), key);
        let config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[version])
            .expect("ring supports this version of TLS")
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(SingleCertAndKey::from(shown)));
        TlsAcceptor::from(Arc::new(config))
    }

    /// Returns the SHA-256 of the public key, for pinning.
    pub fn public_key_sha256(&self) -> [u8; 32] {
        let key = KeyPair::from_pem(&self.key_pem).expect("the key is PEM");
        let suite = TLS13_AES_128_GCM_SHA256.tls13().expect("the suite is one of TLS 1.3");
        let hash = suite.common.hash_provider.hash(&key.subject_public_key_info());
        hash.as_ref().try_into().expect("SHA-256 has 32 bytes")
    }

    fn chain(&self) -> Vec<CertificateDer<'static>> {
        CertificateDer::pem_slice_iter(self.cert_pem.as_bytes())
            .collect::<Result<_, _>>()
            .expect("the certificate is PEM")
    }

    fn key(&self) -> PrivateKeyDer<'static> {
        PrivateKeyDer::from_pem_slice(self.key_pem.as_bytes()).expect("the key is PEM")
    }

    fn acceptor_for(&self, clients: Option<&Authority>) -> TlsAcceptor {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("ring supports the default versions of TLS");
        let config = match clients {
            None => config.with_no_client_auth(),
            Some(authority) => {
                let mut roots = RootCertStore::empty();
                let root = CertificateDer::from_pem_slice(authority.root_pem().as_bytes());
                roots.add(root.expect("the root is PEM")).expect("the root is valid");
                let provider = Arc::new(rustls::crypto::ring::default_provider());
                let verifier =
                    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
                config.with_client_cert_verifier(verifier.build().expect("there is a root"))
            }
        };
        let config =
            config.with_single_cert(self.chain(), self.key()).expect("key and certificate match");
        TlsAcceptor::from(Arc::new(config))
    }
}

fn new_key() -> KeyPair {
    KeyPair::generate().expect("the system provides random numbers")
}
