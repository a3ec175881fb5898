//! Replaces `proxy` if the feature `proxy` is off. No value of [`Proxy`] exists, so the compiler removes the
//! code that uses it.

use std::convert::Infallible;
use std::fmt;
use std::time::Duration;

use fullduplex_proto::{Limits, Url};
use tokio::net::TcpStream;
use tokio::time::Instant;

use crate::http1::rejected::Rejected;
use crate::transport::Transport;

/// The rules that choose the proxy of a connection. They can be set only if the feature `proxy` is on.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Proxies {}

/// A proxy server. It can be created only if the feature `proxy` is on.
#[derive(Debug, Clone)]
pub struct Proxy(Infallible);

/// The reason why a proxy did not connect to a server.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProxyError {
    /// The proxy answered CONNECT with an HTTP status that is not a success.
    #[error("the proxy answered {}", .0.status)]
    Rejected(Box<Rejected>),
    /// [`ConnectOptions::connect_timeout`](crate::ConnectOptions::connect_timeout) passed before the proxy
    /// had connected.
    #[error("the proxy did not connect within {0:?}")]
    Timeout(Duration),
}

impl Proxies {
    /// Returns `None`.
    pub fn find(&self, _url: &Url) -> Option<&Proxy> {
        None
    }
}

impl Proxy {
    pub(crate) fn host(&self) -> &str {
        match self.0 {}
    }

    pub(crate) fn port(&self) -> u16 {
        match self.0 {}
    }

    pub(crate) async fn tunnel(
        &self,
        _tcp: TcpStream,
        _server: (&str, u16),
        _limits: Limits,
        _deadline: Instant,
    ) -> Result<Transport, ProxyError> {
        match self.0 {}
    }
}

impl fmt::Display for Proxy {
    fn fmt(&self, _f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {}
    }
}
