use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

use fullduplex_net::Identity;
use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, KeyPair};
use ring::digest::{SHA256, digest};

use super::args::TlsArgs;
use crate::exit::{Failure, usage};

/// How long a new certificate is valid. Some clients reject certificates with a validity of years.
const LIFETIME: Duration = Duration::from_secs(30 * 24 * 3600);

/// The delay of a client's clock that a new certificate allows.
const SLACK: Duration = Duration::from_secs(24 * 3600);

/// The certificate of a server.
pub(super) struct Certificate {
    pub(super) identity: Identity,
    /// The fingerprint of a new certificate.
    pub(super) fingerprint: Option<String>,
}

/// Returns the certificate that the arguments request: none, one from files, or a new one for
/// `host` and the names of this machine.
pub(super) fn certificate(
    args: &TlsArgs,
    host: Option<&str>,
) -> Result<Option<Certificate>, Failure> {
    if let (Some(certificates), Some(key)) = (&args.cert, &args.key) {
        let identity = Identity::from_pem(&read(certificates)?, &read(key)?).map_err(usage)?;
        return Ok(Some(Certificate { identity, fingerprint: None }));
    }
    if args.tls { make(host, args.write_cert.as_deref()).map(Some) } else { Ok(None) }
}

fn make(host: Option<&str>, file: Option<&Path>) -> Result<Certificate, Failure> {
    let mut names: Vec<String> = ["localhost", "127.0.0.1", "::1"].map(Into::into).into();
    // No client connects to the address that means all addresses.
    if let Some(host) = host.filter(|host| !matches!(*host, "0.0.0.0" | "::"))
        && !names.iter().any(|name| name == host)
    {
        names.push(host.to_owned());
    }
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name.push(DnType::CommonName, "fdx listen");
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let now = SystemTime::now();
    params.not_before = (now - SLACK).into();
    params.not_after = (now + LIFETIME).into();
    let key = KeyPair::generate()?;
    let certificate = params.self_signed(&key)?;
    let pem = certificate.pem();
    if let Some(file) = file {
        fs::write(file, &pem).map_err(|error| {
            usage(format!("could not write the file {}: {error}", file.display()))
        })?;
    }
    let identity = Identity::from_pem(pem.as_bytes(), key.serialize_pem().as_bytes())?;
    Ok(Certificate { identity, fingerprint: Some(fingerprint(certificate.der())) })
}

/// Returns the fingerprint as browsers and OpenSSL show it.
fn fingerprint(der: &[u8]) -> String {
    let bytes = digest(&SHA256, der);
    let pairs: Vec<String> = bytes.as_ref().iter().map(|byte| format!("{byte:02X}")).collect();
    pairs.join(":")
}

fn read(file: &Path) -> Result<Vec<u8>, Failure> {
    fs::read(file)
        .map_err(|error| usage(format!("could not read the file {}: {error}", file.display())))
}
