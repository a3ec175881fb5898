use http::header::{ALLOW, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, TRANSFER_ENCODING, UPGRADE};
use http::{HeaderName, HeaderValue, Response, StatusCode, Version};

/// An HTTP error with which a server refuses to open a connection (RFC6455-4.2.1-1), or a redirect.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{status}: {reason}")]
pub struct Rejection {
    status: StatusCode,
    reason: String,
    headers: Vec<(HeaderName, HeaderValue)>,
}

/// A [`Rejection`] cannot have this status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("could not reject a request with {0}: use 400 to 599, or a redirect")]
pub struct RejectionStatusError(pub StatusCode);

impl Rejection {
    /// Creates a rejection. `reason` is the text of the response. Use 403 for an origin that is not allowed
    /// (RFC6455-4.2.2-3), 404 for an unknown resource (RFC6455-4.2.2-5), and 401 for a client that has not
    /// authenticated (RFC6455-4.2.2-2).
    ///
    /// # Panics
    /// If the status is not allowed for a rejection: see [`try_new`](Self::try_new). Use that method for a
    /// status that is not a constant.
    #[track_caller]
    pub fn new(status: StatusCode, reason: impl Into<String>) -> Self {
        Self::try_new(status, reason).expect("the status rejects")
    }

    /// Creates a rejection like [`new`](Self::new), but returns an error instead of panicking.
    ///
    /// # Errors
    /// [`RejectionStatusError`] if the status is not 300 to 599, or is 304: 1xx does not end the response,
    /// 2xx tells the client that the request succeeded, and a 304 has no body (FS-12).
    pub fn try_new(
        status: StatusCode,
        reason: impl Into<String>,
    ) -> Result<Self, RejectionStatusError> {
        match status.as_u16() {
            300..=303 | 305..=599 => {
                Ok(Self { status, reason: reason.into(), headers: Vec::new() })
            }
            _ => Err(RejectionStatusError(status)),
        }
    }

    pub(super) fn bad_request(reason: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, reason)
    }

    pub(super) fn method_not_allowed() -> Self {
        let reason = "the method of an opening request must be GET";
        Self::new(StatusCode::METHOD_NOT_ALLOWED, reason)
            .with_header(ALLOW, HeaderValue::from_static("GET"))
    }

    /// Over HTTP/2, no upgrade exists, so 426 would be wrong.
    pub(super) fn connect_required() -> Self {
        let reason = "over this version of HTTP, a WebSocket is opened with an extended CONNECT";
        Self::new(StatusCode::METHOD_NOT_ALLOWED, reason)
            .with_header(ALLOW, HeaderValue::from_static("CONNECT"))
    }

    pub(super) fn unsupported_version(reason: impl Into<String>) -> Self {
        // RFC6455-4.2.2-4, RFC6455-4.4-1: all supported versions.
        Self::bad_request(reason).with_header(super::offer::VERSION, HeaderValue::from_static("13"))
    }

    pub(super) fn upgrade_required(reason: impl Into<String>) -> Self {
        Self::new(StatusCode::UPGRADE_REQUIRED, reason)
            .with_header(UPGRADE, HeaderValue::from_static("websocket"))
            // RFC6455-4.2.2-4, RFC6455-4.4-1: all supported versions.
            .with_header(super::offer::VERSION, HeaderValue::from_static("13"))
    }

    /// Adds a header to the response, such as `Retry-After` to a 503. `Connection`, `Content-Length`,
    /// `Content-Type` and `Transfer-Encoding` are replaced.
    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    /// Returns the status of the response.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// Returns the response, with the reason as its body. It ends the HTTP connection (RFC6455-7.2.2-1), so
    /// that bytes after the request are not parsed as another request (fault O2).
    pub fn to_response(&self) -> Response<String> {
        let body = format!("{}\n", self.reason);
        let mut response = Response::new(String::new());
        *response.status_mut() = self.status;
        *response.version_mut() = Version::HTTP_11;
        let headers = response.headers_mut();
        headers.extend(self.headers.iter().cloned());
        headers.remove(TRANSFER_ENCODING);
        let connection = if headers.contains_key(UPGRADE) { "close, Upgrade" } else { "close" };
        headers.insert(CONNECTION, HeaderValue::from_static(connection));
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
        headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
        *response.body_mut() = body;
        response
    }
}
