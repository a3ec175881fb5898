use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;
use percent_encoding::percent_decode_str;

/// A user's name and password. Bytes, as both may be anything.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Credentials {
    user: Vec<u8>,
    password: Vec<u8>,
}

impl Credentials {
    /// Takes both as they are.
    pub fn new(user: impl Into<Vec<u8>>, password: impl Into<Vec<u8>>) -> Self {
        Self { user: user.into(), password: password.into() }
    }

    /// Takes both as they stand in a URL, percent-encoded; `None` if both are empty.
    pub fn decode(user: &str, password: &str) -> Option<Self> {
        let decode = |part: &str| -> Vec<u8> { percent_decode_str(part).collect() };
        let is_there = !user.is_empty() || !password.is_empty();
        is_there.then(|| Self::new(decode(user), decode(password)))
    }

    /// The user's name.
    pub fn user(&self) -> &[u8] {
        &self.user
    }

    /// The password.
    pub fn password(&self) -> &[u8] {
        &self.password
    }

    /// The value of an `Authorization` or `Proxy-Authorization` header (RFC 7617), marked as
    /// sensitive.
    pub fn to_basic(&self) -> HeaderValue {
        let both = [&self.user[..], b":", &self.password].concat();
        let value = format!("Basic {}", STANDARD.encode(both));
        let mut value = HeaderValue::try_from(value).expect("base64 is ASCII");
        value.set_sensitive(true);
        value
    }
}

/// Who it is, and not the password.
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
    fn basic() {
        let aladdin = Credentials::new("Aladdin", "open sesame");
        assert_eq!(aladdin.to_basic(), "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
        let test = Credentials::decode("test", "123%C2%A3").unwrap();
        assert_eq!(test.to_basic(), "Basic dGVzdDoxMjPCow==");
        assert!(test.to_basic().is_sensitive());
        assert_eq!(format!("{test:?}"), "Credentials(test, …)");
        assert_eq!(Credentials::decode("", ""), None);
        // What is no escape stays, and what is no UTF-8 is bytes.
        let odd = Credentials::decode("%zz%", "%ff").unwrap();
        assert_eq!((odd.user(), odd.password()), (&b"%zz%"[..], &b"\xff"[..]));
    }
}
