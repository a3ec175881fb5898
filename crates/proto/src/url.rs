use std::convert::Infallible;

use http::HeaderMap;
use http::header::AUTHORIZATION;
use http::uri::PathAndQuery;

use crate::credentials::Credentials;

/// A WebSocket URL: `ws` or `wss`, with a host and without a fragment.
///
/// [`Display`](std::fmt::Display) shows the whole URL. `Debug` omits the user name and the password.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Url {
    url: ::url::Url,
    resource_name: PathAndQuery,
}

/// Why a string is not a WebSocket URL.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UrlError {
    /// The URL parser rejected it.
    #[error("`{input}` is not a URL: {reason}")]
    Invalid {
        /// The input, without the user name and the password.
        input: String,
        /// The parser's error.
        reason: String,
    },
    /// The scheme is not `ws`, `wss`, `http` or `https`.
    #[error("the URL has the scheme `{0}`; it must be ws, wss, http or https")]
    Scheme(String),
    /// RFC6455-3-1: the URL has a fragment, which may be empty.
    #[error(
        "a WebSocket URL must not have a fragment: remove `#{0}`, or write %23 for a `#` in the path"
    )]
    Fragment(String),
}

impl Url {
    /// Parses an absolute URL like the `WebSocket` constructor of the standard. It uses the WHATWG URL
    /// parser, and changes `http` and `https` to `ws` and `wss` (RFC6455-3-3, WS-2.4).
    ///
    /// # Errors
    /// [`UrlError`] if this is not a WebSocket URL (RFC6455-4.1-2).
    pub fn parse(input: &str) -> Result<Self, UrlError> {
        let url = ::url::Url::parse(input);
        Self::new(url.map_err(|error| invalid(input, &error))?, input)
    }

    /// Resolves the `Location` of a redirect relative to this URL. Removes a fragment. If the target has the
    /// same origin and no credentials, it gets the credentials of this URL.
    ///
    /// # Errors
    /// [`UrlError`] if the target is not a WebSocket URL.
    pub fn redirected(&self, location: &str) -> Result<Self, UrlError> {
        let mut url = self.url.join(location).map_err(|error| invalid(location, &error))?;
        url.set_fragment(None);
        let mut next = Self::new(url, location)?;
        if next.origin() == self.origin() && next.credentials().is_none() {
            // A URL with a host can have both, so this cannot fail.
            next.url.set_username(self.url.username()).ok();
            next.url.set_password(self.url.password()).ok();
        }
        Ok(next)
    }

    fn new(mut url: ::url::Url, input: &str) -> Result<Self, UrlError> {
        let scheme = match url.scheme() {
            "http" => "ws",
            "https" => "wss",
            "ws" => "ws",
            "wss" => "wss",
            other => return Err(UrlError::Scheme(other.to_owned())),
        };
        // All four schemes are special in the URL standard. It permits a change from one special scheme to
        // another.
        url.set_scheme(scheme).map_err(|()| UrlError::Scheme(scheme.to_owned()))?;
        // RFC6455-3-2: a `#` begins a fragment. A `#` in the path is written as %23 and stays escaped.
        if let Some(fragment) = url.fragment() {
            return Err(UrlError::Fragment(fragment.to_owned()));
        }
        // RFC6455-11.1-2: the URL parser has escaped characters that a request cannot contain.
        let resource_name = &url[::url::Position::BeforePath..::url::Position::AfterQuery];
        let resource_name =
            PathAndQuery::try_from(resource_name).map_err(|error| invalid(input, &error))?;
        Ok(Self { url, resource_name })
    }

    /// Returns the serialized URL.
    pub fn as_str(&self) -> &str {
        self.url.as_str()
    }

    /// Returns whether the connection uses TLS.
    pub fn is_secure(&self) -> bool {
        self.url.scheme() == "wss"
    }

    /// Returns the host to resolve: a name in its ASCII form (RFC6455-11.1-1), or an address without
    /// brackets.
    pub fn host(&self) -> &str {
        let host = self.url.host_str().unwrap_or_default();
        host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host)
    }

    /// Returns the port to connect to. The default is 80, and 443 with TLS (RFC6455-3-3).
    pub fn port(&self) -> u16 {
        self.url.port().unwrap_or(if self.is_secure() { 443 } else { 80 })
    }

    /// Returns the value of the `Host` header. It contains the port only if that is not the default port
    /// (RFC6455-4.1-15).
    pub fn authority(&self) -> String {
        let host = self.url.host_str().unwrap_or_default();
        match self.url.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        }
    }

    /// Returns the decoded user name and password, or `None` if the URL has neither.
    pub fn credentials(&self) -> Option<Credentials> {
        Credentials::decode(self.url.username(), self.url.password().unwrap_or_default())
    }

    /// Adds an `Authorization` header with the user name and the password, if the URL has them and
    /// `headers` has no such header.
    pub fn add_authorization(&self, headers: &mut HeaderMap) {
        if let Some(credentials) = self.credentials()
            && !headers.contains_key(AUTHORIZATION)
        {
            headers.insert(AUTHORIZATION, credentials.to_basic());
        }
    }

    /// Returns the request target: the path, and the query if there is one (RFC6455-3-3).
    pub fn resource_name(&self) -> &PathAndQuery {
        &self.resource_name
    }

    /// Returns the serialized origin of the URL, which is the `origin` of a message event.
    pub fn origin(&self) -> String {
        self.url.origin().ascii_serialization()
    }
}

impl UrlError {
    /// Returns the error for an input that another URL parser rejected, for example the URL parser of a
    /// browser.
    pub fn invalid(input: &str, reason: &dyn std::fmt::Display) -> Self {
        invalid(input, reason)
    }
}

fn invalid(input: &str, reason: &dyn std::fmt::Display) -> UrlError {
    // Errors are printed, so they must not contain a password. In an invalid URL, the end of the password is
    // unknown, so everything before the last `@` is left out.
    let input = match input.rsplit_once('@') {
        Some((before, rest)) => {
            // A `//` further on may be part of the password.
            let scheme = ["ws://", "wss://", "http://", "https://", "//"]
                .into_iter()
                .find(|scheme| before.starts_with(scheme))
                .unwrap_or_default();
            format!("{scheme}…@{rest}")
        }
        None => input.to_owned(),
    };
    UrlError::Invalid { input, reason: reason.to_string() }
}

impl std::fmt::Debug for Url {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut shown = self.url.clone();
        // A URL with a host can have credentials or none, so this cannot fail.
        shown.set_username("").ok();
        shown.set_password(None).ok();
        f.debug_tuple("Url").field(&shown.as_str()).finish()
    }
}

impl std::fmt::Display for Url {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl TryFrom<&str> for Url {
    type Error = UrlError;

    fn try_from(input: &str) -> Result<Self, UrlError> {
        Self::parse(input)
    }
}

impl TryFrom<&String> for Url {
    type Error = UrlError;

    fn try_from(input: &String) -> Result<Self, UrlError> {
        Self::parse(input)
    }
}

impl TryFrom<String> for Url {
    type Error = UrlError;

    fn try_from(input: String) -> Result<Self, UrlError> {
        Self::parse(&input)
    }
}

/// Lets a function with a parameter `impl TryInto<Url>` accept a `&Url`.
impl From<&Self> for Url {
    fn from(url: &Self) -> Self {
        url.clone()
    }
}

/// Lets a function with a parameter `impl TryInto<Url, Error: Into<UrlError>>` accept a `Url`.
impl From<Infallible> for UrlError {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

impl std::str::FromStr for Url {
    type Err = UrlError;

    fn from_str(input: &str) -> Result<Self, UrlError> {
        Self::parse(input)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC6455-3-2, RFC6455-3-3, RFC6455-11.1-1, RFC6455-11.1-2.
    #[test]
    fn a_url_is_split_into_its_parts() {
        for (input, href, host, port, authority, resource) in [
            ("ws://a", "ws://a/", "a", 80, "a", "/"),
            (
                "WSS://EXAMPLE.com:443/x/../y?q=1",
                "wss://example.com/y?q=1",
                "example.com",
                443,
                "example.com",
                "/y?q=1",
            ),
            ("http://a:8080/?", "ws://a:8080/?", "a", 8080, "a:8080", "/?"),
            ("https://a:443", "wss://a/", "a", 443, "a", "/"),
            ("ws://[::1]:9/%23", "ws://[::1]:9/%23", "::1", 9, "[::1]:9", "/%23"),
            (
                "ws://bücher.example/ü",
                "ws://xn--bcher-kva.example/%C3%BC",
                "xn--bcher-kva.example",
                80,
                "xn--bcher-kva.example",
                "/%C3%BC",
            ),
            ("ws://u:p@a/", "ws://u:p@a/", "a", 80, "a", "/"),
        ] {
            let url = Url::parse(input).unwrap();
            assert_eq!(url.as_str(), href);
            assert_eq!((url.host(), url.port()), (host, port), "{input}");
            assert_eq!(url.authority(), authority, "{input}");
            assert_eq!(url.resource_name().as_str(), resource, "{input}");
        }
    }

    #[test]
    fn an_origin_has_scheme_host_and_port_only() {
        assert_eq!(Url::parse("ws://u:p@a:81/x?y").unwrap().origin(), "ws://a:81");
        assert_eq!(Url::parse("https://a/x").unwrap().origin(), "wss://a");
    }

    #[test]
    fn credentials_are_decoded() {
        let credentials = |url: &str| Url::parse(url).unwrap().credentials();
        let both = Credentials::new("a b", "c:d");
        assert_eq!(credentials("ws://a%20b:c%3Ad@h/"), Some(both));
        assert_eq!(credentials("ws://:p@h/"), Some(Credentials::new("", "p")));
        assert_eq!(credentials("ws://@h/"), None);
        assert_eq!(credentials("ws://h/u:p@"), None);
    }

    #[test]
    fn debug_and_errors_do_not_show_the_password() {
        let url = Url::parse("ws://user:secret@h/x").unwrap();
        assert_eq!(format!("{url:?}"), r#"Url("ws://h/x")"#);
        for (input, shown) in [
            ("ws://user:secret@a b/", "`ws://…@a b/` is not a URL"),
            ("ws://user:sec/ret@h/", "`ws://…@h/` is not a URL"),
            ("//user:secret@h", "`//…@h` is not a URL"),
            ("user@h", "`…@h` is not a URL"),
            ("us er:sec//ret@h", "`…@h` is not a URL"),
        ] {
            let error = Url::parse(input).unwrap_err();
            let text = format!("{error} {error:?}");
            assert!(text.starts_with(shown) && !text.contains("ret"), "{text}");
        }
    }

    #[test]
    fn redirects_are_resolved() {
        let from = Url::parse("wss://u:p@a/x/y?q").unwrap();
        for (location, href) in [
            ("z", "wss://u:p@a/x/z"),
            ("/z#f", "wss://u:p@a/z"),
            ("https://a/z", "wss://u:p@a/z"),
            ("https://o:q@a:443/z", "wss://o:q@a/z"),
            ("//b/z", "wss://b/z"),
            ("https://a:444/z", "wss://a:444/z"),
            ("http://a/z", "ws://a/z"),
        ] {
            assert_eq!(from.redirected(location).unwrap().as_str(), href, "{location}");
        }
        assert!(matches!(from.redirected("ftp://a/"), Err(UrlError::Scheme(_))));
        assert!(matches!(from.redirected("ws://a b/"), Err(UrlError::Invalid { .. })));
    }

    /// RFC6455-11.1-2: characters are escaped where needed.
    #[test]
    fn path_and_query_accept_every_character() {
        for character in ('\0'..='\u{7f}').chain("äλ字𝄞".chars()).filter(|&c| c != '#') {
            for input in [format!("ws://a/x{character}y"), format!("ws://a/?x{character}y")] {
                assert!(Url::parse(&input).is_ok(), "{input:?}");
            }
        }
    }

    /// RFC6455-3-1, RFC6455-4.1-2.
    #[test]
    fn other_urls_are_refused() {
        for input in ["", "a", "/a", "ws:", "ws://", "ws://a b/", "ws://a:99999/", "ws://[::g]/"] {
            assert!(matches!(Url::parse(input), Err(UrlError::Invalid { .. })), "{input}");
        }
        for input in ["ftp://a/", "mailto:a@b", "wsss://a/"] {
            assert!(matches!(Url::parse(input), Err(UrlError::Scheme(_))), "{input}");
        }
        for input in ["ws://a/#", "ws://a/#x"] {
            assert!(matches!(Url::parse(input), Err(UrlError::Fragment(_))), "{input}");
        }
    }
}
