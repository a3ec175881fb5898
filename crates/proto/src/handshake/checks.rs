//! Checks of an opening request that both forms have in common.

use http::header::{HOST, SEC_WEBSOCKET_VERSION};
use http::uri::Authority;
use http::{HeaderMap, Uri};

use super::Rejection;
use super::syntax::{self, Single};

/// RFC6455-4.2.1-2: the target is a resource name, or an absolute http(s) URI that contains a resource name.
pub(super) fn check_target(target: &Uri) -> Result<(), Rejection> {
    let is_http = matches!(target.scheme_str(), None | Some("http" | "https"));
    if is_http && target.path().starts_with('/') {
        Ok(())
    } else {
        Err(Rejection::bad_request("the request target must be a path"))
    }
}

/// The bytes after an opening request are frames (faults H13).
pub(super) fn check_no_body(headers: &HeaderMap) -> Result<(), Rejection> {
    if syntax::announces_body(headers) {
        return Err(Rejection::bad_request("an opening request has no body"));
    }
    Ok(())
}

/// RFC 9112 section 3.2: there is exactly one `Host` header. It has a host and optionally a port, or it is
/// empty.
pub(super) fn check_host(headers: &HeaderMap) -> Result<(), Rejection> {
    let Single::Once(host) = syntax::single(headers, HOST) else {
        return Err(Rejection::bad_request("the request must have one Host header"));
    };
    let is_host = |host: Authority| !host.as_str().contains('@');
    if host.is_empty() || Authority::try_from(host.as_bytes()).is_ok_and(is_host) {
        Ok(())
    } else {
        Err(Rejection::bad_request("the Host header must be a host, or a host and a port"))
    }
}

/// RFC6455-4.3-2: the number has no leading zero. `unsupported` creates the rejection for another version.
pub(super) fn check_version(
    headers: &HeaderMap,
    unsupported: impl Fn(&'static str) -> Rejection,
) -> Result<(), Rejection> {
    match syntax::single(headers, SEC_WEBSOCKET_VERSION) {
        Single::Once(value) if value == "13" => Ok(()),
        // RFC6455-11.3.5-1
        Single::Repeated => Err(Rejection::bad_request("Sec-WebSocket-Version is repeated")),
        Single::Absent => Err(unsupported("Sec-WebSocket-Version: 13 is missing")),
        Single::Once(_) => Err(unsupported("the WebSocket version must be 13")),
    }
}
