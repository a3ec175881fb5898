//! The form of the opening handshake over HTTP/2 (RFC 8441 sections 4 and 5) and HTTP/3 (RFC 9220).

use std::borrow::Cow;

use http::header::{CONNECTION, HOST, UPGRADE};
use http::uri::{Authority, Scheme};
use http::{HeaderMap, Method, Request, Response, StatusCode, Uri, Version};

use super::checks::{check_host, check_no_body, check_target, check_version};
use super::syntax::{self, Single};
use super::{AnswerError, Rejection, ReservedHeaderError};
use crate::url::Url;

/// The pseudo-header `:protocol` of an extended CONNECT (RFC8441-4-1), in the extensions of a request.
///
/// The `http` crate has no place for it. Convert it to and from the type of the HTTP library.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectProtocol(Cow<'static, str>);

impl ConnectProtocol {
    /// The protocol of an opening handshake (RFC8441-5-1).
    pub const WEBSOCKET: Self = Self(Cow::Borrowed("websocket"));

    /// Creates the value that a client has sent.
    pub fn new(protocol: impl Into<Cow<'static, str>>) -> Self {
        Self(protocol.into())
    }

    /// Returns the value.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Returns the request, without the headers that both forms have. It has no `Sec-WebSocket-Key`
/// (RFC8441-5-4), no `Upgrade` and no `Connection` (RFC8441-5-3).
pub(super) fn request(url: &Url, further: &HeaderMap) -> Result<Request<()>, ReservedHeaderError> {
    let not_a_host = |_| ReservedHeaderError(HOST);
    let authority = match further.get(HOST) {
        Some(host) => Authority::try_from(host.as_bytes()).map_err(not_a_host)?,
        None => Authority::try_from(url.authority()).map_err(not_a_host)?,
    };
    let mut request = Request::new(());
    *request.method_mut() = Method::CONNECT;
    *request.version_mut() = Version::HTTP_2;
    // RFC8441-4-2, RFC8441-5-2
    let scheme = if url.is_secure() { Scheme::HTTPS } else { Scheme::HTTP };
    *request.uri_mut() = Uri::builder()
        .scheme(scheme)
        .authority(authority)
        .path_and_query(url.resource_name().clone())
        .build()
        .expect("a scheme, an authority and a path are a URI");
    request.extensions_mut().insert(ConnectProtocol::WEBSOCKET);
    Ok(request)
}

/// Checks a request. `Sec-WebSocket-Key` is not processed (RFC8441-5-4).
///
/// The target names a resource of this server. It is never the address of a tunnel (RFC8441-4-3).
pub(super) fn check<B>(request: &Request<B>) -> Result<(), Rejection> {
    let headers = request.headers();
    if request.method() != Method::CONNECT {
        return Err(Rejection::connect_required());
    }
    match request.extensions().get::<ConnectProtocol>() {
        Some(protocol) if *protocol == ConnectProtocol::WEBSOCKET => {}
        // RFC9220-3-2
        Some(protocol) => {
            let protocol = syntax::shown(protocol.as_str().as_bytes());
            let reason = format!("this server does not support the protocol `{protocol}`");
            return Err(Rejection::new(StatusCode::NOT_IMPLEMENTED, reason));
        }
        None => {
            let reason = "this server is not a proxy; a CONNECT must have `:protocol: websocket`";
            return Err(Rejection::new(StatusCode::NOT_IMPLEMENTED, reason));
        }
    }
    check_target(request.uri())?;
    check_no_body(headers)?;
    check_authority(request.uri(), headers)?;
    // RFC8441-5-3
    if headers.contains_key(CONNECTION) || headers.contains_key(UPGRADE) {
        let reason = "Connection and Upgrade are not allowed in this version of HTTP";
        return Err(Rejection::bad_request(reason));
    }
    check_version(headers, Rejection::unsupported_version)
}

/// RFC 9113 section 8.3.1: `:authority` replaces `Host`. It has no user, and a `Host` header must not differ
/// from it.
fn check_authority(target: &Uri, headers: &HeaderMap) -> Result<(), Rejection> {
    let Some(authority) = target.authority() else {
        return check_host(headers);
    };
    if authority.as_str().contains('@') {
        return Err(Rejection::bad_request("the authority must be a host, or a host and a port"));
    }
    match syntax::single(headers, HOST) {
        Single::Absent => Ok(()),
        Single::Once(host) if host.as_bytes() == authority.as_str().as_bytes() => Ok(()),
        _ => Err(Rejection::bad_request("the Host header differs from the authority")),
    }
}

/// Returns the response that opens the connection, without the headers that both forms have.
pub(super) fn response() -> Response<()> {
    let mut response = Response::new(());
    *response.version_mut() = Version::HTTP_2;
    response
}

/// Checks the response, without the headers that both forms have (RFC8441-5-6). `Sec-WebSocket-Accept` is
/// not processed (RFC8441-5-4).
pub(super) fn check_response<B>(response: &Response<B>) -> Result<(), AnswerError> {
    if !response.status().is_success() {
        return Err(AnswerError::Status(response.status()));
    }
    match response.version() {
        Version::HTTP_2 | Version::HTTP_3 => Ok(()),
        other => Err(AnswerError::HttpVersion(other)),
    }
}
