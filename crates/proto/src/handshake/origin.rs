use std::fmt;
use std::str::FromStr;

use http::header::{HOST, ORIGIN};
use http::{Request, StatusCode};

use super::syntax::{self, Single};
use super::{Endpoint, Rejection};

/// Which web pages can connect (RFC6455-10.2-1).
///
/// A browser sends the true origin of the page that opens a connection. It sends the user's cookies for every
/// page. Other clients can claim any origin, or none. So this check protects users of browsers, not the
/// server (RFC6455-10.1-1).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum OriginPolicy {
    /// Pages of this server: the host and the port of their origin equal those of the request's `Host`
    /// header. A reverse proxy must forward this header unchanged. If the server itself uses TLS, their
    /// scheme must be `https`. Otherwise a proxy may have terminated TLS, so `http` and `https` are both
    /// allowed.
    ///
    /// See [`HostPolicy`](super::HostPolicy) for a server on a loopback address.
    #[default]
    Same,
    /// Pages of these origins only.
    Listed(Vec<Origin>),
    /// Any page. Then cookies do not prove that the user wants the connection.
    Any,
}

/// The origin of a page: scheme, host and port, as in `https://example.com` or `http://localhost:3000`
/// (RFC 6454).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Origin {
    scheme: String,
    host: String,
    /// `None` if it is the default port of the scheme.
    port: Option<u16>,
}

/// A string is not an origin.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{input}` is not an origin: {reason}")]
pub struct OriginError {
    input: String,
    reason: String,
}

impl OriginPolicy {
    /// Checks the origin of the page that sent an opening request. A request without an `Origin` header is
    /// accepted, because it does not come from a browser (RFC6455-4.2.1-3).
    ///
    /// # Errors
    /// The [`Rejection`] to send: 403 (RFC6455-4.2.2-3). Except with [`OriginPolicy::Any`], it also rejects a
    /// repeated or malformed header, and the origin `null`. A browser sends `null` for a page that has no
    /// origin or hides it.
    pub fn check<B>(&self, request: &Request<B>, endpoint: Endpoint) -> Result<(), Rejection> {
        let claimed = match (self, syntax::single(request.headers(), ORIGIN)) {
            (Self::Any, _) | (_, Single::Absent) => return Ok(()),
            (_, Single::Repeated) => return Err(forbidden("the Origin header is repeated")),
            (_, Single::Once(claimed)) => claimed,
        };
        let origin = claimed.to_str().ok().and_then(|claimed| Origin::parse(claimed).ok());
        let (is_allowed, rule) = match self {
            Self::Listed(listed) => (
                origin.is_some_and(|origin| listed.contains(&origin)),
                "this server lists other origins",
            ),
            _ => (
                origin.is_some_and(|origin| origin.is_of(request, endpoint)),
                "it is not the origin of this server",
            ),
        };
        if is_allowed {
            return Ok(());
        }
        let claimed = syntax::shown(claimed.as_bytes());
        Err(forbidden(format!(
            "pages of `{claimed}` cannot connect: {rule}; to let them, add the origin to those that the server allows"
        )))
    }
}

impl Origin {
    /// Parses an origin like WHATWG's URL parser: it normalizes case, international names and default ports.
    ///
    /// # Errors
    /// [`OriginError`], with the reason.
    pub fn parse(input: &str) -> Result<Self, OriginError> {
        let invalid =
            |reason: &str| OriginError { input: input.to_owned(), reason: reason.to_owned() };
        if input == "null" {
            return Err(invalid("browsers send it for pages without an origin"));
        }
        let Some((_, authority)) = input.split_once("://") else {
            return Err(invalid("an origin begins with a scheme, such as https://"));
        };
        // The URL parser removes or replaces some of these.
        if input.contains(|c: char| c.is_whitespace() || c.is_control()) {
            return Err(invalid("an origin has no spaces"));
        }
        if authority.contains(['/', '\\', '?', '#']) {
            return Err(invalid(
                "an origin has no path: remove everything after the host and the port",
            ));
        }
        if authority.contains('@') {
            return Err(invalid("an origin has no user name"));
        }
        if authority.contains('*') {
            return Err(invalid("an origin has no wildcard: list each origin"));
        }
        let url = url::Url::parse(input).map_err(|error| invalid(&error.to_string()))?;
        match url.host_str() {
            Some(host) if !host.is_empty() => {
                let (scheme, host) = (url.scheme().to_owned(), host.to_owned());
                Ok(Self { scheme, host, port: url.port() })
            }
            _ => Err(invalid("it has no host")),
        }
    }

    /// Returns whether this is the origin of the server's own pages.
    fn is_of<B>(&self, request: &Request<B>, endpoint: Endpoint) -> bool {
        let is_scheme = match &*self.scheme {
            "https" => true,
            "http" => !endpoint.is_tls,
            _ => false,
        };
        // RFC 9112 section 3.2.2: the host of an absolute target replaces the Host header.
        let host = match (request.uri().authority(), syntax::single(request.headers(), HOST)) {
            (Some(authority), _) => Some(authority.as_str()),
            (None, Single::Once(host)) => host.to_str().ok(),
            (None, _) => None,
        };
        let own = host.and_then(|host| Self::parse(&format!("{}://{host}", self.scheme)).ok());
        is_scheme && own.is_some_and(|own| own == *self)
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { scheme, host, port } = self;
        write!(f, "{scheme}://{host}")?;
        port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

impl FromStr for Origin {
    type Err = OriginError;

    fn from_str(input: &str) -> Result<Self, OriginError> {
        Self::parse(input)
    }
}

fn forbidden(reason: impl Into<String>) -> Rejection {
    Rejection::new(StatusCode::FORBIDDEN, reason)
}
