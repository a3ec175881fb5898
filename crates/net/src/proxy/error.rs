use std::io;
use std::time::Duration;

use http::StatusCode;

use crate::http1::read::OpeningError;
use crate::http1::rejected::Rejected;
use crate::tls;
use crate::tls_error::TlsConfigError;

/// The reason why a text cannot be used as the URL of a proxy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("could not use {place} as a proxy: {reason}")]
pub struct ProxyUrlError {
    place: String,
    reason: String,
}

impl ProxyUrlError {
    pub(super) fn new(reason: impl Into<String>) -> Self {
        Self { place: "the URL".into(), reason: reason.into() }
    }

    /// Adds the environment variable that contains the URL.
    pub(super) fn of(self, variable: &str) -> Self {
        Self { place: format!("the URL in {variable}"), reason: self.reason }
    }
}

/// The reason why a proxy did not connect to a server.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProxyError {
    /// The default TLS options could not be loaded.
    #[error(transparent)]
    TlsOptions(#[from] TlsConfigError),
    /// The TLS handshake with an `https` proxy failed.
    #[error("could not establish TLS with the proxy: {}", tls::explain(.0))]
    Tls(io::Error),
    /// The proxy's response could not be read.
    #[error(transparent)]
    Opening(#[from] OpeningError),
    /// The proxy answered CONNECT with an HTTP status that is not a success.
    #[error("the proxy answered {}{}", .0.status, details(.0))]
    Rejected(Box<Rejected>),
    /// The proxy sent bytes after its response, before anything was sent to the server.
    #[error("the proxy sent bytes before the tunnel was used")]
    EarlyBytes,
    /// The proxy does not speak SOCKS5. The value is the byte that it sent as the version.
    #[error("the proxy does not speak SOCKS5: the version is {0}; is it an HTTP proxy?")]
    NotSocks5(u8),
    /// The SOCKS5 proxy accepts none of the offered authentication methods.
    #[error("the proxy accepts none of the offered login methods{}", if *.0 { "" } else { "; give it a user and a password" })]
    Method(
        /// Whether a user and a password were offered.
        bool,
    ),
    /// The SOCKS5 proxy rejected the user or the password.
    #[error("the proxy rejected the user or the password")]
    Login,
    /// The SOCKS5 proxy could not connect to the server, or refused to. The value is its reply code.
    #[error("the proxy answered: {}", reason(*.0))]
    Socks5(u8),
    /// The host name is longer than the 255 bytes that SOCKS5 allows.
    #[error("the host name is longer than the 255 bytes that SOCKS5 allows")]
    HostTooLong,
    /// [`ConnectOptions::connect_timeout`](crate::ConnectOptions::connect_timeout) passed before the proxy
    /// had connected.
    #[error("the proxy did not connect within {0:?}")]
    Timeout(Duration),
}

fn details(rejected: &Rejected) -> String {
    let excerpt = rejected.excerpt().map(|excerpt| format!(": {excerpt}"));
    let hint = match rejected.status {
        StatusCode::PROXY_AUTHENTICATION_REQUIRED => {
            "; give a user and a password in its URL: http://user:password@proxy"
        }
        _ => "",
    };
    excerpt.unwrap_or_default() + hint
}

/// Describes the code of a reply (RFC 1928 section 6).
fn reason(code: u8) -> String {
    let reason = match code {
        1 => "general failure",
        2 => "its rules do not allow this connection",
        3 => "the network is unreachable",
        4 => "the host is unreachable",
        5 => "the connection was refused",
        6 => "the time to live has expired",
        7 => "it does not support CONNECT",
        8 => "it does not support this type of address",
        _ => return format!("failure {code}"),
    };
    reason.into()
}
