//! Which parts of URLs, headers and subprotocols may be secret. They are shown only through
//! [`Secrets`].

use std::borrow::Cow;

use fullduplex_net::is_secret_header;
use http::header::{
    CONTENT_LOCATION, HeaderName, HeaderValue, LOCATION, REFERER, SEC_WEBSOCKET_KEY,
    SEC_WEBSOCKET_PROTOCOL,
};

/// Whether secrets are shown, as `--show-secrets` requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Secrets {
    Hidden,
    Shown,
}

/// The replacement of a secret.
const HIDDEN: &str = "…";

/// The minimum length of a value with letters and digits that is treated as a key or a token.
const TOKEN_LEN: usize = 20;

/// Substrings of names whose values are secret.
const NAMES: [&str; 16] = [
    "token",
    "secret",
    "passw",
    "passphrase",
    "credential",
    "auth",
    "bearer",
    "apikey",
    "signature",
    "session",
    "cookie",
    "jwt",
    "ticket",
    "csrf",
    "xsrf",
    "hmac",
];

/// Complete names whose values are secret.
const SHORT_NAMES: [&str; 8] = ["key", "sig", "sid", "pass", "pwd", "pin", "otp", "code"];

impl Secrets {
    /// Returns a URL without secrets in its user information, path, query and fragment.
    pub(crate) fn url(self, url: &str) -> String {
        let Some((scheme, rest)) = url.split_once("://").filter(|_| self == Self::Hidden) else {
            return self.target(url);
        };
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, target) = rest.split_at(end);
        let authority = match authority.rsplit_once('@') {
            Some((_, host)) => format!("{HIDDEN}@{host}"),
            None => authority.to_owned(),
        };
        format!("{scheme}://{authority}{}", self.target(target))
    }

    /// Returns a path with its query, without secrets in either.
    pub(crate) fn target(self, target: &str) -> String {
        if self == Self::Shown {
            return target.to_owned();
        }
        let query = target.find(['?', '#']).unwrap_or(target.len());
        let (path, query) = target.split_at(query);
        let mut shown = each(path, &['/'], |segment| redact_if(is_token(segment), segment));
        shown += &each(query, &['?', '#', '&', ';'], |pair| match pair.split_once('=') {
            Some((name, value)) if is_secret_name(name) || is_token(value) => {
                format!("{name}={HIDDEN}").into()
            }
            Some(_) => pair.into(),
            None => redact_if(is_token(pair), pair),
        });
        shown
    }

    /// Returns the value of a header, or the replacement if it is secret.
    pub(crate) fn header(self, name: &HeaderName, value: &HeaderValue) -> String {
        let text = String::from_utf8_lossy(value.as_bytes());
        if self == Self::Shown {
            return text.into_owned();
        }
        if value.is_sensitive() || holds_secret(name) || has_credentials(&text) {
            return HIDDEN.to_owned();
        }
        match name {
            &SEC_WEBSOCKET_PROTOCOL => self.subprotocols(&text),
            &LOCATION | &CONTENT_LOCATION | &REFERER => self.url(&text),
            _ => text.into_owned(),
        }
    }

    /// Returns a list of subprotocols without secrets. Some clients send a token as a subprotocol.
    /// Others send a name such as `access_token`, and the token as the next subprotocol.
    pub(crate) fn subprotocols(self, list: &str) -> String {
        if self == Self::Shown {
            return list.to_owned();
        }
        let mut follows_name = false;
        each(list, &[',', ' '], |subprotocol| {
            if subprotocol.is_empty() {
                return subprotocol.into();
            }
            let names_secret = is_secret_name(subprotocol);
            let is_secret = follows_name
                || is_token(subprotocol)
                || (names_secret && subprotocol.len() > TOKEN_LEN);
            follows_name = names_secret && !is_secret;
            redact_if(is_secret, subprotocol)
        })
    }

    /// Returns text, such as an error, without secrets in the URLs that it contains.
    pub(crate) fn text(self, text: &str) -> String {
        each(text, &[' ', '`', '"', '\'', '<', '>', '(', ')', '\n'], |word| {
            if word.contains("://") { self.url(word).into() } else { word.into() }
        })
    }
}

/// Returns `text` with `show` applied to each part between two separators.
fn each<'a>(
    text: &'a str,
    separators: &[char],
    mut show: impl FnMut(&'a str) -> Cow<'a, str>,
) -> String {
    text.split_inclusive(separators).fold(String::with_capacity(text.len()), |mut shown, part| {
        let end = part.strip_suffix(separators).map_or(part.len(), str::len);
        shown += &show(&part[..end]);
        shown + &part[end..]
    })
}

fn redact_if(is_secret: bool, text: &str) -> Cow<'_, str> {
    if is_secret { HIDDEN.into() } else { text.into() }
}

fn is_secret_name(name: &str) -> bool {
    let plain: String = name
        .chars()
        .filter(|c| !matches!(c, '-' | '_' | '.'))
        .map(|c| c.to_ascii_lowercase())
        .collect();
    let is_author = plain.contains("author") && !plain.contains("authori");
    NAMES.iter().any(|part| plain.contains(part)) && !is_author
        || SHORT_NAMES.contains(&&*plain)
        || plain.ends_with("key")
}

fn holds_secret(name: &HeaderName) -> bool {
    // These headers are part of the handshake, a challenge, or a rule of the server.
    let is_public = name == SEC_WEBSOCKET_KEY
        || name.as_str().ends_with("-authenticate")
        || name.as_str().starts_with("access-control-");
    !is_public && (is_secret_header(name) || is_secret_name(name.as_str()))
}

/// Returns whether the value of a header is a login or contains a JSON Web Token.
fn has_credentials(value: &str) -> bool {
    let scheme = value.split(' ').next().unwrap_or_default();
    ["bearer", "basic"].iter().any(|name| scheme.eq_ignore_ascii_case(name))
        || value.contains("eyJ") && value.matches('.').count() >= 2
}

/// Returns whether text looks like a key, a token or a session.
fn is_token(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_~.+=%:".contains(&byte);
    let has_all = text.bytes().all(is_plain);
    let is_mixed = text.bytes().any(|byte| byte.is_ascii_digit())
        && text.bytes().any(|byte| byte.is_ascii_alphabetic());
    has_all && (is_mixed && text.len() >= TOKEN_LEN || text.len() >= 10 && text.starts_with("eyJ"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// FK-04
    #[test]
    fn urls_are_shown_without_their_secrets() {
        for (url, shown) in [
            ("ws://me:secret@h:1/a?b=c", "ws://…@h:1/a?b=c"),
            ("ws://me@a@h/", "ws://…@h/"),
            ("ws://h/?token=1&x=2#key=3", "ws://h/?token=…&x=2#key=…"),
            ("wss://h/?access-token=a&api_key=b;sig=c", "wss://h/?access-token=…&api_key=…;sig=…"),
            ("ws://h/room/550e8400-e29b-41d4-a716-446655440000/", "ws://h/room/…/"),
            ("ws://h/?v=4f9d2c7be61a8305d4f9&author=a", "ws://h/?v=…&author=a"),
            ("ws://h/?eyJhbGciOi.x.y", "ws://h/?…"),
            (
                "ws://127.0.0.1:9001/runCase?case=1&agent=fullduplex",
                "ws://127.0.0.1:9001/runCase?case=1&agent=fullduplex",
            ),
        ] {
            assert_eq!(Secrets::Hidden.url(url), shown);
            assert_eq!(Secrets::Shown.url(url), url);
            let error = format!("could not connect to `{url}`: (refused)");
            assert_eq!(
                Secrets::Hidden.text(&error),
                format!("could not connect to `{shown}`: (refused)")
            );
        }
    }

    /// FK-04
    #[test]
    fn headers_are_shown_without_their_secrets() {
        for (name, value, shown) in [
            ("authorization", "Bearer x", "…"),
            ("proxy-authorization", "x", "…"),
            ("cookie", "a=b", "…"),
            ("set-cookie", "a=b", "…"),
            ("x-api-key", "x", "…"),
            ("x-amz-security-token", "x", "…"),
            ("x-custom", "Bearer x", "…"),
            ("x-custom", "a eyJ.b.c", "…"),
            ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25jZQ=="),
            ("www-authenticate", "Basic", "…"),
            ("www-authenticate", "Digest realm=\"a\"", "Digest realm=\"a\""),
            ("location", "/in?token=x", "/in?token=…"),
            ("sec-websocket-protocol", "chat, access_token, abc", "chat, access_token, …"),
            ("sec-websocket-protocol", "bearer,a, chat", "bearer,…, chat"),
            (
                "sec-websocket-protocol",
                "base64url.bearer.authorization.k8s.io.dG9rZW4, v4.channel.k8s.io",
                "…, v4.channel.k8s.io",
            ),
            ("sec-websocket-extensions", "permessage-deflate", "permessage-deflate"),
        ] {
            let name = HeaderName::from_static(name);
            let value = HeaderValue::from_static(value);
            assert_eq!(Secrets::Hidden.header(&name, &value), shown, "{name}");
        }
    }

    proptest! {
        /// FK-04
        #[test]
        fn a_password_is_never_shown(before in "[a-z@:/?#é]{0,8}", after in "[a-z@/?#é]{0,8}") {
            let url = format!("wss://{before}:hunter2@host{after}");
            // An authority ends where the path begins.
            if !before.contains(['/', '?', '#']) {
                prop_assert!(!Secrets::Hidden.url(&url).contains("hunter2"));
            }
        }
    }
}
