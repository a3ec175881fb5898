use std::mem;
use std::sync::{Mutex, PoisonError};

use fullduplex::{CookieStore, Url};
use http::HeaderValue;

use crate::latin1::latin1;

/// The cookies of one opening handshake: the `Cookie` header that the JavaScript cookie jar returned,
/// and the `Set-Cookie` headers to pass to the jar.
#[derive(Debug)]
pub(crate) struct Jar {
    cookie: Option<HeaderValue>,
    set: Mutex<Vec<String>>,
}

impl Jar {
    /// Returns `None` if `cookie` is not a valid header value.
    pub(crate) fn new(cookie: &str) -> Option<Self> {
        let cookie = match cookie {
            "" => None,
            cookie => Some(HeaderValue::from_bytes(&latin1(cookie)).ok()?),
        };
        Some(Self { cookie, set: Mutex::default() })
    }

    /// Takes the `Set-Cookie` headers received since the last call.
    pub(crate) fn take(&self) -> Vec<String> {
        mem::take(&mut *self.set.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl CookieStore for Jar {
    fn cookies(&self, _: &Url) -> Option<HeaderValue> {
        self.cookie.clone()
    }

    fn set_cookies(&self, _: &Url, values: &[HeaderValue]) {
        let values = values.iter().map(|value| String::from_utf8_lossy(value.as_bytes()).into());
        self.set.lock().unwrap_or_else(PoisonError::into_inner).extend(values);
    }
}
