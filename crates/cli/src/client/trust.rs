use std::path::PathBuf;

use clap::Args;
use fullduplex::Tls;

use super::read;
use crate::exit::{Failure, usage};

/// Which certificates to trust and to send.
#[derive(Debug, Args)]
pub(super) struct Trust {
    /// Trust the certificates in this PEM file too, in addition to those that this machine trusts.
    #[arg(long, value_name = "FILE", help_heading = TLS)]
    ca: Option<PathBuf>,
    /// Trust only the certificates of --ca.
    #[arg(long, requires = "ca", help_heading = TLS)]
    only_ca: bool,
    /// Send this client certificate if the server asks for one: PEM, followed by its intermediates.
    #[arg(long, value_name = "FILE", requires = "key", help_heading = TLS)]
    cert: Option<PathBuf>,
    /// The private key of --cert, in PEM.
    #[arg(long, value_name = "FILE", requires = "cert", help_heading = TLS)]
    key: Option<PathBuf>,
    /// Request the server with this name (SNI), and expect its certificate.
    #[arg(long, value_name = "NAME", help_heading = TLS)]
    server_name: Option<String>,
    /// Accept any certificate. Anyone between fdx and the server can then read and change
    /// everything.
    #[arg(long, short = 'k', conflicts_with_all = ["ca", "only_ca"], help_heading = TLS)]
    insecure: bool,
    /// Write the TLS secrets to the file named by the environment variable SSLKEYLOGFILE, for
    /// Wireshark.
    #[arg(long, help_heading = TLS)]
    log_keys: bool,
}

const TLS: &str = "TLS";

impl Trust {
    pub(super) fn takes_any_certificate(&self) -> bool {
        self.insecure
    }

    /// Returns the TLS settings, or `None` for those of the platform.
    pub(super) fn tls(&self) -> Result<Option<Tls>, Failure> {
        let is_plain = self.ca.is_none()
            && self.cert.is_none()
            && self.server_name.is_none()
            && !self.insecure
            && !self.log_keys;
        if is_plain {
            return Ok(None);
        }
        let mut tls = Tls::builder();
        if let Some(file) = &self.ca {
            let pem = read(file)?;
            tls = if self.only_ca { tls.only_roots(&pem) } else { tls.extra_roots(&pem) };
        }
        if let (Some(certificate), Some(key)) = (&self.cert, &self.key) {
            tls = tls.client_certificate(&read(certificate)?, &read(key)?);
        }
        if let Some(name) = &self.server_name {
            tls = tls.server_name(name);
        }
        if self.insecure {
            tls = tls.danger_accept_any_certificate();
        }
        if self.log_keys {
            tls = tls.log_keys();
        }
        Ok(Some(tls.build().map_err(usage)?))
    }
}
