use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use http::header::HOST;
use http::{Request, StatusCode};

use super::{Rejection, syntax};

/// What a server knows about its own address and its use of TLS. The default is an unknown address without
/// TLS, as behind an HTTP server.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Endpoint {
    /// The address at which the server listens.
    pub address: Option<IpAddr>,
    /// Whether the server itself uses TLS. It is also `false` behind a proxy that terminates TLS.
    pub is_tls: bool,
}

/// Which host names a server accepts in the `Host` header of a request (FS-05).
///
/// A server on a loopback address needs this check. A web page of another site can connect to it with the
/// name of that site, if the site makes the name resolve to 127.0.0.1 (DNS rebinding). For the browser, the
/// page and the server then have the same origin, so [`OriginPolicy::Same`](super::OriginPolicy::Same) allows
/// the page. Only the name in the `Host` header reveals the attack.
///
/// **Behind a reverse proxy** on the same machine, the server listens on a loopback address, and most proxies forward
/// the host name that the browser requested. List that name:
///
/// ```
/// use fullduplex_proto::handshake::HostPolicy;
///
/// # fn main() -> Result<(), fullduplex_proto::handshake::HostNameError> {
/// let hosts = HostPolicy::Local(vec!["app.example".parse()?]);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum HostPolicy {
    /// [`Local`](Self::Local) if the server listens on a loopback address, and otherwise
    /// [`Any`](Self::Any). Behind an HTTP server such as hyper, the address is unknown, so it is `Any`.
    #[default]
    Auto,
    /// `localhost` and its subdomains, all IP addresses, and the names in this list, with any port. DNS
    /// rebinding cannot use an IP address, because it needs a name.
    Local(Vec<HostName>),
    /// Any host.
    Any,
}

/// A host name such as `app.example`, without a port. Case and a dot at the end make no difference.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct HostName(String);

/// A string is not a host name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{input}` is not a host name: {reason}")]
pub struct HostNameError {
    input: String,
    reason: &'static str,
}

impl HostPolicy {
    /// Checks the host of a request: its `Host` header, and the host of an absolute target. A request with
    /// neither is accepted, because browsers always send `Host`.
    ///
    /// # Errors
    /// The [`Rejection`] to send: 421 Misdirected Request.
    pub fn check<B>(&self, request: &Request<B>, endpoint: Endpoint) -> Result<(), Rejection> {
        let is_loopback = endpoint.address.is_some_and(|ip| ip.to_canonical().is_loopback());
        let listed = match self {
            Self::Local(listed) => listed.as_slice(),
            Self::Auto if is_loopback => &[],
            Self::Auto | Self::Any => return Ok(()),
        };
        let headers = request.headers().get_all(HOST).iter().map(|host| host.as_bytes());
        let target = request.uri().authority().map(|authority| authority.as_str().as_bytes());
        let foreign = headers.chain(target).find(|host| !is_local(host, listed));
        foreign.map_or(Ok(()), |foreign| {
            let foreign = syntax::shown(foreign);
            let reason = format!(
                "this server does not answer for the host `{foreign}`: use localhost or an IP address, or add the name to the hosts that the server allows"
            );
            Err(Rejection::new(StatusCode::MISDIRECTED_REQUEST, reason))
        })
    }
}

/// Returns whether this value of a `Host` header is an IP address, `localhost`, or a listed name.
fn is_local(host: &[u8], listed: &[HostName]) -> bool {
    let host = str::from_utf8(host).unwrap_or_default();
    let (name, port) = match host.rsplit_once(':') {
        Some((name, port)) if !port.ends_with(']') => (name, port),
        _ => (host, ""),
    };
    if !port.bytes().all(|byte| byte.is_ascii_digit()) {
        return false;
    }
    if let Some(address) = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')) {
        return address.parse::<Ipv6Addr>().is_ok();
    }
    name.eq_ignore_ascii_case(LOCALHOST)
        || name.parse::<Ipv4Addr>().is_ok()
        || HostName::parse(name).is_ok_and(|name| name.is_localhost() || listed.contains(&name))
}

impl HostName {
    /// Parses a name like WHATWG's URL parser, so that international names are encoded.
    ///
    /// # Errors
    /// [`HostNameError`], with the reason.
    pub fn parse(input: &str) -> Result<Self, HostNameError> {
        let invalid = |reason| HostNameError { input: input.to_owned(), reason };
        if input.parse::<IpAddr>().is_ok() || input.starts_with('[') {
            return Err(invalid("IP addresses are always allowed; list names only"));
        }
        if input.contains("://") || input.contains('/') {
            return Err(invalid("leave out the scheme and the path"));
        }
        if input.contains(':') {
            return Err(invalid("leave out the port"));
        }
        if input.contains('*') {
            return Err(invalid("there is no wildcard; list each name"));
        }
        let name = input.strip_suffix('.').unwrap_or(input);
        match url::Host::parse(name) {
            Ok(url::Host::Domain(name)) => Ok(Self(name)),
            _ => Err(invalid("a name has letters, digits, `-` and `.`")),
        }
    }

    fn is_localhost(&self) -> bool {
        self.0 == LOCALHOST || self.0.ends_with(".localhost")
    }
}

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for HostName {
    type Err = HostNameError;

    fn from_str(input: &str) -> Result<Self, HostNameError> {
        Self::parse(input)
    }
}

const LOCALHOST: &str = "localhost";
