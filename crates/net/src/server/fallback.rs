use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_LENGTH, HOST, TRANSFER_ENCODING, UPGRADE};
use http::{HeaderValue, Method, Request, Response, StatusCode, Version};

/// The application's responses to requests without an upgrade.
#[derive(Clone)]
pub(crate) struct Fallback(Arc<Find>);

type Find = dyn Fn(&Request<()>) -> Option<Response<Bytes>> + Send + Sync;

impl Fallback {
    pub(crate) fn new(
        find: impl Fn(&Request<()>) -> Option<Response<Bytes>> + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(find))
    }

    /// Returns the application's response to a request with a safe method and without an upgrade.
    pub(crate) fn find(&self, request: &Request<()>) -> Option<Response<Bytes>> {
        let headers = request.headers();
        // RFC 9112 section 3.2: without exactly one Host header, HTTP/1.1 gets 400. In HTTP/2, an authority
        // replaces it.
        let has_host = request.version() < Version::HTTP_11
            || request.version() > Version::HTTP_11 && request.uri().authority().is_some()
            || headers.get_all(HOST).iter().count() == 1;
        // RFC 9110 section 7.8: HTTP/1.0 cannot upgrade.
        let asks_for_none = request.version() < Version::HTTP_11 || !headers.contains_key(UPGRADE);
        // RFC 9110 section 9.2.1. `OPTIONS` is what HAProxy sends by default.
        let is_safe = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
        if !has_host || !asks_for_none || !is_safe {
            return None;
        }
        let found = catch_unwind(AssertUnwindSafe(|| (self.0)(request)));
        let response = found.unwrap_or_else(|_| {
            tracing::error!(path = request.uri().path(), "the fallback has panicked");
            Some(internal_error())
        });
        response.map(finish)
    }
}

impl fmt::Debug for Fallback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fallback").finish_non_exhaustive()
    }
}

/// Sets the headers that frame the body and close the connection. Otherwise, bytes after the request could be
/// parsed as another request (fault O2).
fn finish(response: Response<Bytes>) -> Response<Bytes> {
    let mut response = if response.status().is_informational() {
        tracing::error!(status = %response.status(), "the fallback returned an interim response");
        internal_error()
    } else {
        response
    };
    let status = response.status();
    let length = response.body().len();
    let headers = response.headers_mut();
    headers.remove(TRANSFER_ENCODING);
    headers.insert(CONNECTION, HeaderValue::from_static("close"));
    // RFC 9110 sections 8.6 and 15.4.5: responses with these statuses have no body.
    if matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED) {
        headers.remove(CONTENT_LENGTH);
        response.body_mut().clear();
    } else {
        headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    }
    response
}

fn internal_error() -> Response<Bytes> {
    let mut response = Response::new(Bytes::from_static(b"the server failed\n"));
    *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
    response
}
