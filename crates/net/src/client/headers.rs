use fullduplex_proto::handshake::is_reserved_header;
use http::header::{AUTHORIZATION, COOKIE, HOST, PROXY_AUTHORIZATION, SET_COOKIE};
use http::uri::Authority;
use http::{HeaderName, HeaderValue};

/// Names that contain one of these carry an access token by convention, such as `X-Api-Key`.
const SECRET_PARTS: [&str; 6] = ["api-key", "apikey", "token", "secret", "password", "session"];

/// The reason why a header could not be added to the opening request.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("could not add the header `{name}`: {reason}")]
pub struct HeaderError {
    name: String,
    reason: &'static str,
}

/// Returns whether the values of this header must not be printed, and must not be sent to another origin.
/// This applies to credentials, to cookies, and to headers whose name indicates a key or a token.
pub fn is_secret_header(name: &HeaderName) -> bool {
    matches!(*name, AUTHORIZATION | PROXY_AUTHORIZATION | COOKIE | SET_COOKIE)
        || SECRET_PARTS.iter().any(|part| name.as_str().contains(part))
}

/// Checks a header of the application. A secret one is marked as sensitive, so that `Debug` hides it.
pub(super) fn parse(name: &str, value: &[u8]) -> Result<(HeaderName, HeaderValue), HeaderError> {
    let error = |reason| HeaderError { name: name.escape_debug().to_string(), reason };
    let header = HeaderName::try_from(name)
        .map_err(|_| error("the name is not a token; a name has letters, digits and `-`"))?;
    if is_reserved_header(&header) {
        return Err(error("the opening handshake sets it; use the option for it, or leave it out"));
    }
    let mut value = HeaderValue::from_bytes(value)
        .map_err(|_| error("the value contains a line break or another control character"))?;
    let is_host = |host: Authority| !host.as_str().contains('@');
    if header == HOST && !Authority::try_from(value.as_bytes()).is_ok_and(is_host) {
        return Err(error("the value is not a host, or a host and a port"));
    }
    value.set_sensitive(is_secret_header(&header));
    Ok((header, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secret_headers() {
        for secret in
            ["authorization", "set-cookie", "x-api-key", "x-auth-token", "x-amz-security-token"]
        {
            assert!(is_secret_header(&HeaderName::from_static(secret)), "{secret}");
        }
        for open in ["origin", "user-agent", "accept-language", "sec-websocket-protocol"] {
            assert!(!is_secret_header(&HeaderName::from_static(open)), "{open}");
        }
    }

    #[test]
    fn bad_headers_are_named() {
        let (name, value) = parse("Authorization", b"Bearer x").unwrap();
        assert_eq!((name, value.is_sensitive()), (AUTHORIZATION, true));
        for (name, value, part) in [
            ("a b", "x", "`a b`: the name is not a token"),
            ("x", "1\r\ny: 2", "`x`: the value contains a line break"),
            ("Host", "a@b", "`Host`: the value is not a host"),
            ("Upgrade", "h2c", "`Upgrade`: the opening handshake sets it"),
        ] {
            let error = parse(name, value.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        }
    }
}
