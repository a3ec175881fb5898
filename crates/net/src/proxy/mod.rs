//! Proxies: HTTP CONNECT and SOCKS5.

mod error;
mod http;
mod no_proxy;
mod proxies;
mod socks5;

use std::fmt;
use std::str::FromStr;

use fullduplex_proto::{Credentials, Limits};
use tokio::net::TcpStream;
use tokio::time::Instant;

use crate::http1::host_and_port;
use crate::tls::Tls;
use crate::transport::Transport;

pub use error::{ProxyError, ProxyUrlError};
pub use proxies::Proxies;

/// A proxy server, through which connections are opened.
///
/// The proxy resolves the names of servers. Of a `wss` connection, it sees only the destination.
#[derive(Debug, Clone)]
pub struct Proxy {
    protocol: Protocol,
    host: String,
    port: u16,
    credentials: Option<Credentials>,
    tls: Option<Tls>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Protocol {
    Http,
    /// HTTP CONNECT over TLS.
    Https,
    Socks5,
}

impl Proxy {
    /// Parses a URL such as `http://user:password@host:port`. The schemes are `http`, `https`, `socks5` and
    /// `socks5h`, which is the same as `socks5`. The default scheme is `http`. The default ports are 80, 443
    /// and 1080. User and password are percent-encoded.
    ///
    /// # Errors
    /// [`ProxyUrlError`], which does not show the password.
    pub fn parse(url: &str) -> Result<Self, ProxyUrlError> {
        let has_scheme = url.contains("://");
        let url = if has_scheme { url.to_owned() } else { format!("http://{url}") };
        let url = url::Url::parse(&url).map_err(|error| ProxyUrlError::new(error.to_string()))?;
        let (protocol, default_port) = match url.scheme() {
            "http" => (Protocol::Http, 80),
            "https" => (Protocol::Https, 443),
            "socks5" | "socks5h" => (Protocol::Socks5, 1080),
            other => {
                let known = "http, https, socks5, socks5h";
                return Err(ProxyUrlError::new(format!(
                    "the scheme is `{other}`; it must be one of {known}"
                )));
            }
        };
        let host = url.host_str().filter(|host| !host.is_empty());
        let host = host.ok_or_else(|| ProxyUrlError::new("it contains no host"))?;
        let proxy = Self {
            protocol,
            host: host.trim_matches(['[', ']']).to_owned(),
            port: url.port().unwrap_or(default_port),
            credentials: None,
            tls: None,
        };
        match Credentials::decode(url.username(), url.password().unwrap_or_default()) {
            Some(credentials) => proxy.with_credentials(credentials),
            None => Ok(proxy),
        }
    }

    /// Authenticates with a user and a password: by HTTP `Basic`, or by the method of SOCKS5.
    ///
    /// # Errors
    /// [`ProxyUrlError`] if they are too long or empty for SOCKS5, which allows 1 to 255 bytes each.
    pub fn with_credentials(mut self, credentials: Credentials) -> Result<Self, ProxyUrlError> {
        if self.protocol == Protocol::Socks5 {
            socks5::check(&credentials)?;
        }
        self.credentials = Some(credentials);
        Ok(self)
    }

    /// Sets the TLS options for an `https` proxy. Default: those of [`Proxies::with_tls`], else the
    /// platform's roots. They do not apply to the server behind the proxy.
    pub fn with_tls(mut self, tls: Tls) -> Self {
        self.tls = Some(tls);
        self
    }

    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Sets the TLS options if none are set.
    fn with_default_tls(mut self, tls: &Tls) -> Self {
        self.tls.get_or_insert_with(|| tls.clone());
        self
    }

    /// Requests a connection to a host from the proxy at the other end of `tcp`.
    pub(crate) async fn tunnel(
        &self,
        tcp: TcpStream,
        (host, port): (&str, u16),
        limits: Limits,
        deadline: Instant,
    ) -> Result<Transport, ProxyError> {
        let mut stream = Transport::from(tcp);
        let credentials = self.credentials.as_ref();
        if self.protocol == Protocol::Https {
            let tls = match &self.tls {
                Some(tls) => tls.clone(),
                None => Tls::shared_platform()?,
            };
            let securing = stream.over_tls(&tls, &self.host, None, None);
            (stream, _) = securing.await.map_err(ProxyError::Tls)?;
        }
        match self.protocol {
            Protocol::Http | Protocol::Https => {
                let (target, proxy) = ((host, port), self.to_string());
                http::open(&mut stream, &proxy, target, credentials, limits, deadline).await?;
            }
            Protocol::Socks5 => socks5::open(&mut stream, (host, port), credentials).await?,
        }
        Ok(stream)
    }
}

/// Shows the URL without credentials.
impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match self.protocol {
            Protocol::Http => "http",
            Protocol::Https => "https",
            Protocol::Socks5 => "socks5",
        };
        write!(f, "{scheme}://{}", host_and_port(&self.host, self.port))
    }
}

impl FromStr for Proxy {
    type Err = ProxyUrlError;

    fn from_str(url: &str) -> Result<Self, ProxyUrlError> {
        Self::parse(url)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls() {
        for (input, shown, credentials) in [
            ("http://p", "http://p:80", None),
            ("p:3128", "http://p:3128", None),
            ("p", "http://p:80", None),
            ("https://p/", "https://p:443", None),
            ("socks5://p", "socks5://p:1080", None),
            ("socks5h://[::1]:9", "socks5://[::1]:9", None),
            ("http://u:p%40@[::1]:1/x", "http://[::1]:1", Some(("u", "p@"))),
            ("u:p@h:1", "http://h:1", Some(("u", "p"))),
            ("socks5://u:p@h", "socks5://h:1080", Some(("u", "p"))),
        ] {
            let proxy = Proxy::parse(input).unwrap();
            assert_eq!(proxy.to_string(), shown, "{input}");
            let credentials = credentials.map(|(user, password)| Credentials::new(user, password));
            assert_eq!(proxy.credentials, credentials, "{input}");
        }
    }

    #[test]
    fn errors_of_urls_do_not_show_the_password() {
        let long = "x".repeat(256);
        for (input, reason) in [
            ("socks4://u:secret@h", "the scheme is `socks4`"),
            ("http://u:secret@h:99999", "port"),
            ("http://", "host"),
            ("socks5://u@h", "from 1 to 255 bytes"),
            (&*format!("socks5://u:secret{long}@h"), "from 1 to 255 bytes"),
        ] {
            let error = Proxy::parse(input).unwrap_err().to_string();
            assert!(error.contains(reason) && !error.contains("secret"), "{input}: {error}");
        }
    }
}
