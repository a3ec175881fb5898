use std::io;
use std::time::Duration;

use crate::client::error::ConnectError;
use crate::http1::read::OpeningError;
use crate::http1::rejected::Rejected;
use crate::tls;
use crate::tls::TlsConfigError;

/// A proxy cannot be what was given.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place} is not that of a proxy: {reason}")]
pub struct ProxyUrlError {
    place: String,
    reason: String,
}

impl ProxyUrlError {
    pub(super) fn new(reason: impl Into<String>) -> Self {
        Self { place: "the URL".into(), reason: reason.into() }
    }

    /// Says which variable of the environment it was.
    pub(super) fn of(self, variable: &str) -> Self {
        Self { place: format!("the URL in {variable}"), reason: self.reason }
    }
}

/// Why a proxy did not connect.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProxyError {
    /// There is no connection with the proxy itself.
    #[error(transparent)]
    Unreachable(Box<ConnectError>),
    /// The roots to trust for it cannot be used.
    #[error(transparent)]
    TlsOptions(#[from] TlsConfigError),
    /// There is no TLS connection with an `https` proxy.
    #[error("no TLS connection with it: {}", tls::explain(.0))]
    Tls(io::Error),
    /// What it said could not be read.
    #[error(transparent)]
    Opening(#[from] OpeningError),
    /// It answered with an HTTP status other than those of success.
    #[error("it answered {}{}", .0.status, rejection(.0))]
    Rejected(Box<Rejected>),
    /// More followed its answer, before anything was said to the server behind it.
    #[error("it sent bytes behind its answer that nobody has asked for")]
    EarlyBytes,
    /// It is no SOCKS5 proxy; this is the byte where the version should be.
    #[error("it does not speak SOCKS5: the version is {0}")]
    NotSocks5(u8),
    /// It takes none of the ways to log in that were offered.
    #[error("it wants another way to log in{}", if *.0 { "" } else { "; no user is given" })]
    Method(
        /// Whether a user was given.
        bool,
    ),
    /// It does not take the user or the password.
    #[error("it does not take the user or the password")]
    Login,
    /// It could not connect, or would not, says SOCKS5; this is its code.
    #[error("it says: {}", super::socks5::reason(*.0))]
    Socks5(u8),
    /// SOCKS5 has no room for more than 255 bytes.
    #[error("the host's name is too long for SOCKS5")]
    HostTooLong,
    /// [`ConnectOptions::connect_timeout`](crate::client::options::ConnectOptions::connect_timeout) passed.
    #[error("it took longer than {0:?}")]
    Timeout(Duration),
}

fn rejection(refused: &Rejected) -> String {
    refused.quotation().map(|quotation| format!(": {quotation}")).unwrap_or_default()
}
