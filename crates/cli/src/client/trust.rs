use std::path::PathBuf;

use clap::Args;
use fullduplex::Tls;

use super::read;
use crate::exit::{Failure, usage};

/// Whom to trust, and what to show of oneself.
#[derive(Debug, Args)]
pub(super) struct Trust {
    /// Trust the certificates of a PEM file too, besides those that this machine trusts.
    #[arg(long, value_name = "FILE", help_heading = TLS)]
    ca: Option<PathBuf>,
    /// Trust the certificates of --ca only.
    #[arg(long, requires = "ca", help_heading = TLS)]
    only_ca: bool,
    /// Show this certificate to a server that asks for one: PEM, those that lead to a root behind it.
    #[arg(long, value_name = "FILE", requires = "key", help_heading = TLS)]
    cert: Option<PathBuf>,
    /// The private key of --cert, PEM.
    #[arg(long, value_name = "FILE", requires = "cert", help_heading = TLS)]
    key: Option<PathBuf>,
    /// Ask for the server of this name, and take its certificate.
    #[arg(long, value_name = "NAME", help_heading = TLS)]
    server_name: Option<String>,
    /// Take any certificate: whoever is between can read and change everything.
    #[arg(long, short = 'k', conflicts_with_all = ["ca", "only_ca"], help_heading = TLS)]
    insecure: bool,
    /// Write the secrets of TLS to the file that the variable SSLKEYLOGFILE names, for Wireshark.
    #[arg(long, help_heading = TLS)]
    log_keys: bool,
}

const TLS: &str = "TLS";

impl Trust {
    pub(super) fn takes_any_certificate(&self) -> bool {
        self.insecure
    }

    /// `None` for the platform's.
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
