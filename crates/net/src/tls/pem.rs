use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;

use super::der::Certificate;
use super::provider;

/// The reason why a certificate and its key cannot be used.
pub(super) enum KeyError {
    /// The part with this name is not usable PEM.
    Pem(&'static str, String),
    /// The certificate and the key do not belong together, or the key's kind is unknown.
    Unusable(String),
}

/// Returns the certificates of a text, in order. There is at least one.
pub(super) fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let certificates = CertificateDer::pem_slice_iter(pem).collect::<Result<Vec<_>, _>>();
    match certificates {
        Ok(certificates) if certificates.is_empty() => Err("it contains no certificate".into()),
        Ok(certificates) => Ok(certificates),
        Err(error) => Err(error.to_string()),
    }
}

/// Returns the first private key of a text.
fn private_key(pem: &[u8]) -> Result<PrivateKeyDer<'static>, String> {
    PrivateKeyDer::from_pem_slice(pem).map_err(|error| {
        if contains(pem, b"BEGIN ENCRYPTED PRIVATE KEY") || contains(pem, b"Proc-Type: 4,ENCRYPTED")
        {
            "it is encrypted; decrypt it with `openssl pkey -in key.pem -out plain.pem`".into()
        } else if contains(pem, b"PRIVATE KEY") {
            error.to_string()
        } else {
            "it contains no private key".into()
        }
    })
}

/// Reads a certificate chain, the end entity's first, and the end entity's private key. Certificates of every
/// version of X.509 are accepted.
pub(super) fn certified_key(
    [certificates_name, key_name]: [&'static str; 2],
    certificates: &[u8],
    key: &[u8],
) -> Result<Arc<CertifiedKey>, KeyError> {
    let unusable = |error: rustls::Error| KeyError::Unusable(error.to_string());
    let chain = self::certificates(certificates)
        .map_err(|reason| KeyError::Pem(certificates_name, reason))?;
    let key = private_key(key).map_err(|reason| KeyError::Pem(key_name, reason))?;
    let key = provider().key_provider.load_private_key(key).map_err(unusable)?;
    let certified = Certificate::parse(&chain[0]).map_err(unusable)?.public_key.info;
    if key.public_key().is_some_and(|public| *public != *certified) {
        return Err(KeyError::Unusable(
            "the private key does not belong to the first certificate".into(),
        ));
    }
    Ok(Arc::new(CertifiedKey::new(chain, key)))
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|bytes| bytes == part)
}
