use std::fmt;
use std::str::FromStr;

use http::header::{HOST, ORIGIN};
use http::{HeaderMap, StatusCode};

use super::Rejection;
use super::syntax::{self, Single};

/// Which pages may connect (RFC6455-10.2-1). A browser says truthfully where the page comes from that
/// opens a connection; and it sends the user's cookies along, whatever page that is.
///
/// Whoever is no browser can claim any origin, or none: this protects users of browsers, not the
/// server (RFC6455-10.1-1).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum OriginPolicy {
    /// Pages of this server: those whose origin has the host and the port of the request's `Host`
    /// header. A proxy in between must leave that header as it is.
    #[default]
    Same,
    /// Pages of these origins, and no others.
    Listed(Vec<Origin>),
    /// Any page. Do not rely on cookies to know the user then.
    Any,
}

/// Where a page comes from: scheme, host and port, as in `https://example.com` or
/// `http://localhost:3000` (RFC 6454).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Origin {
    scheme: String,
    host: String,
    /// `None` if it is the default of the scheme.
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
    /// Checks the origin of the page that sent an opening request. A request without an `Origin` header
    /// passes: it does not come from a browser (RFC6455-4.2.1-3).
    ///
    /// # Errors
    /// The [`Rejection`] to answer with, a 403 (RFC6455-4.2.2-3). Unless any page may connect, that is
    /// also for a header that is repeated or malformed, and for `null`, which a page sends that has no
    /// origin or hides it.
    pub fn check(&self, headers: &HeaderMap) -> Result<(), Rejection> {
        let claimed = match (self, syntax::single(headers, ORIGIN)) {
            (Self::Any, _) | (_, Single::Absent) => return Ok(()),
            (_, Single::Repeated) => return Err(forbidden("the Origin header is repeated")),
            (_, Single::Once(claimed)) => claimed,
        };
        let origin = claimed.to_str().ok().and_then(|claimed| Origin::parse(claimed).ok());
        let (is_allowed, rule) = match self {
            Self::Listed(listed) => {
                (origin.is_some_and(|origin| listed.contains(&origin)), "the server lists others")
            }
            _ => (origin.is_some_and(|origin| origin.is_of(headers)), "it is not that of the host"),
        };
        if is_allowed {
            return Ok(());
        }
        let claimed = claimed.as_bytes().escape_ascii();
        Err(forbidden(format!(
            "pages of the origin `{claimed}` may not connect here: {rule}; add it to the origins that the server allows if they should"
        )))
    }
}

impl Origin {
    /// Parses an origin as WHATWG's URL parser reads it: upper case, international names and default
    /// ports make no difference.
    ///
    /// # Errors
    /// [`OriginError`], which says what is wrong.
    pub fn parse(input: &str) -> Result<Self, OriginError> {
        let invalid =
            |reason: &str| OriginError { input: input.to_owned(), reason: reason.to_owned() };
        if input == "null" {
            return Err(invalid("pages that have none say so"));
        }
        let Some((_, authority)) = input.split_once("://") else {
            return Err(invalid("it begins with a scheme, such as https://"));
        };
        // The URL parser drops some of these, or takes them for others.
        if input.contains(|c: char| c.is_whitespace() || c.is_control()) {
            return Err(invalid("it has no space"));
        }
        if authority.contains(['/', '\\', '?', '#']) {
            return Err(invalid("it has no path: remove what follows the host and the port"));
        }
        if authority.contains('@') {
            return Err(invalid("it has no user name"));
        }
        if authority.contains('*') {
            return Err(invalid("it has no wildcard: list each origin"));
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

    /// Whether this is a page of the server to which the request goes.
    fn is_of(&self, headers: &HeaderMap) -> bool {
        let Single::Once(host) = syntax::single(headers, HOST) else {
            return false;
        };
        // The Host header does not tell the scheme, and a proxy may speak another.
        let is_http = matches!(&*self.scheme, "http" | "https");
        let of_host = host.to_str().ok().map(|host| format!("{}://{host}", self.scheme));
        is_http && of_host.is_some_and(|origin| Self::parse(&origin).as_ref() == Ok(self))
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
