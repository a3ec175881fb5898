use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;
use percent_encoding::percent_decode_str;

/// A user name and a password. Both are bytes, because they need not be UTF-8.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Credentials {
    user: Vec<u8>,
    password: Vec<u8>,
}

impl Credentials {
    /// Creates credentials from a user name and a password that are not encoded.
    pub fn new(user: impl Into<Vec<u8>>, password: impl Into<Vec<u8>>) -> Self {
        Self { user: user.into(), password: password.into() }
    }

    /// Decodes the user name and the password of a URL, which are percent-encoded. Returns `None` if both
    /// are empty.
    pub fn decode(user: &str, password: &str) -> Option<Self> {
        let decode = |part: &str| -> Vec<u8> { percent_decode_str(part).collect() };
        let is_there = !user.is_empty() || !password.is_empty();
        is_there.then(|| Self::new(decode(user), decode(password)))
    }

    /// Returns the user name.
    pub fn user(&self) -> &[u8] {
        &self.user
    }

    /// Returns the password.
    pub fn password(&self) -> &[u8] {
        &self.password
    }

    /// Returns the value of an `Authorization` or `Proxy-Authorization` header (RFC 7617), marked as
    /// sensitive.
    pub fn to_basic(&self) -> HeaderValue {
        let both = [&self.user[..], b":", &self.password].concat();
        let value = format!("Basic {}", STANDARD.encode(both));
        let mut value = HeaderValue::try_from(value).expect("base64 is ASCII");
        value.set_sensitive(true);
        value
    }
}

/// Shows the user name, not the password.
impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Credentials({}, …)", self.user.escape_ascii())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples of RFC 7617, sections 2 and 2.1.
    #[test]
    fn basic_credentials_are_encoded_and_decoded() {
        let aladdin = Credentials::new("Aladdin", "open sesame");
        assert_eq!(aladdin.to_basic(), "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
        let test = Credentials::decode("test", "123%C2%A3").unwrap();
        assert_eq!(test.to_basic(), "Basic dGVzdDoxMjPCow==");
        assert!(test.to_basic().is_sensitive());
        assert_eq!(format!("{test:?}"), "Credentials(test, …)");
        assert_eq!(Credentials::decode("", ""), None);
        // An invalid escape is not decoded, and the bytes need not be UTF-8.
        let odd = Credentials::decode("%zz%", "%ff").unwrap();
        assert_eq!((odd.user(), odd.password()), (&b"%zz%"[..], &b"\xff"[..]));
    }
}
