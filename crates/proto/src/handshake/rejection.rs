use http::header::{ALLOW, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, TRANSFER_ENCODING, UPGRADE};
use http::{HeaderName, HeaderValue, Response, StatusCode, Version};

/// Why a server does not open the connection: an HTTP error (RFC6455-4.2.1-1).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{status}: {reason}")]
pub struct Rejection {
    status: StatusCode,
    reason: String,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl Rejection {
    /// Returns a rejection with the given status. `reason` is the text of the response. Use 403 for an origin
    /// that is not allowed (RFC6455-4.2.2-3), 404 for an unknown resource (RFC6455-4.2.2-5), and 401 for a
    /// client that has not authenticated (RFC6455-4.2.2-2).
    pub fn new(status: StatusCode, reason: impl Into<String>) -> Self {
        Self { status, reason: reason.into(), headers: Vec::new() }
    }

    pub(super) fn bad_request(reason: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, reason)
    }

    pub(super) fn method_not_allowed() -> Self {
        let reason = "a WebSocket is opened with GET";
        Self::new(StatusCode::METHOD_NOT_ALLOWED, reason)
            .with_header(ALLOW, HeaderValue::from_static("GET"))
    }

    pub(super) fn upgrade_required(reason: impl Into<String>) -> Self {
        Self::new(StatusCode::UPGRADE_REQUIRED, reason)
            .with_header(UPGRADE, HeaderValue::from_static("websocket"))
            // RFC6455-4.2.2-4, RFC6455-4.4-1: all versions that are understood.
            .with_header(super::offer::VERSION, HeaderValue::from_static("13"))
    }

    /// Adds a header to the response, such as `Retry-After` to a 503. Those that say how the response
    /// ends are not free to choose.
    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    /// The status of the response.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The response: the reason as its body, and the end of the HTTP connection (RFC6455-7.2.2-1), so
    /// that nothing that follows can be taken for another request (fault O2).
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
