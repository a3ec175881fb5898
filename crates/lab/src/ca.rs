//! A private certificate authority, so that `wss` is tested with certificates of every kind.

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

/// A root that nobody trusts unless told to, and the key that signs for it.
#[derive(Debug)]
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

/// When a certificate is valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Validity {
    /// Today, and for centuries around.
    Now,
    /// In January 2020 only.
    Expired,
}

/// What a server proves itself with, or a client.
#[derive(Debug, Clone)]
pub struct Identity {
    /// The certificate; the root that signed it is not part of the chain.
    pub cert_pem: String,
    /// Its private key.
    pub key_pem: String,
}

impl Authority {
    /// A root with a new key.
    pub fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = new_key();
        // Roots of different names: a certificate of one is not mistaken for another's.
        let name = format!("fullduplex lab root {:02x?}", &key.public_key_raw()[1..9]);
        params.distinguished_name.push(DnType::CommonName, name);
        let root = CertifiedIssuer::self_signed(params, key);
        Self(root.expect("a key of ours signs for itself"))
    }

    /// The root's certificate: what a client is given to trust this authority.
    pub fn root_pem(&self) -> String {
        self.0.pem()
    }

    /// Issues a certificate for `names`, which may be DNS names and IP addresses.
    pub fn issue(&self, names: &[&str], validity: Validity) -> Identity {
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        let mut params = CertificateParams::new(names).expect("the names are names");
        params.distinguished_name.push(DnType::CommonName, "fullduplex lab server");
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        params.use_authority_key_identifier_extension = true;
        if validity == Validity::Expired {
            params.not_before = date_time_ymd(2020, 1, 1);
            params.not_after = date_time_ymd(2020, 2, 1);
        }
        let key = new_key();
        let cert = params.signed_by(&key, &self.0).expect("the root signs");
        Identity { cert_pem: cert.pem(), key_pem: key.serialize_pem() }
    }
}

impl Default for Authority {
    fn default() -> Self {
        Self::new()
    }
}

impl Identity {
    /// As our server is given it.
    pub fn of_server(&self) -> fullduplex_net::Identity {
        fullduplex_net::Identity::from_pem(self.cert_pem.as_bytes(), self.key_pem.as_bytes())
            .expect("the key is that of the certificate")
    }

    /// The server's side of TLS with this identity.
    pub fn acceptor(&self) -> TlsAcceptor {
        self.acceptor_for(None)
    }

    /// The same, for clients that show a certificate of `authority` only.
    pub fn acceptor_for_clients_of(&self, authority: &Authority) -> TlsAcceptor {
        self.acceptor_for(Some(authority))
    }

    /// An impostor's side of TLS of this version: it shows the certificate of this identity, which
    /// everybody can see, and has the key of another.
    pub fn impostor(&self, key: &Self, version: &'static SupportedProtocolVersion) -> TlsAcceptor {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let key = provider.key_provider.load_private_key(key.key()).expect("the key is good");
        let shown = CertifiedKey::new(self.chain(), key);
        let config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[version])
            .expect("ring knows this version of TLS")
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(SingleCertAndKey::from(shown)));
        TlsAcceptor::from(Arc::new(config))
    }

    /// The SHA-256 of its public key, as it is pinned.
    pub fn public_key_sha256(&self) -> [u8; 32] {
        let key = KeyPair::from_pem(&self.key_pem).expect("the key is PEM");
        let suite = TLS13_AES_128_GCM_SHA256.tls13().expect("it is one of TLS 1.3");
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
            .expect("ring knows the default versions of TLS");
        let config = match clients {
            None => config.with_no_client_auth(),
            Some(authority) => {
                let mut roots = RootCertStore::empty();
                let root = CertificateDer::from_pem_slice(authority.root_pem().as_bytes());
                roots.add(root.expect("the root is PEM")).expect("the root is a certificate");
                let provider = Arc::new(rustls::crypto::ring::default_provider());
                let verifier =
                    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
                config.with_client_cert_verifier(verifier.build().expect("there is a root"))
            }
        };
        let config = config
            .with_single_cert(self.chain(), self.key())
            .expect("the key is that of the certificate");
        TlsAcceptor::from(Arc::new(config))
    }
}

fn new_key() -> KeyPair {
    KeyPair::generate().expect("the system must provide random numbers")
}
