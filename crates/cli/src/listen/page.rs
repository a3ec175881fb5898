use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderValue, Request, Response, StatusCode};
use ring::digest::{SHA256, digest};

use crate::hosts::Hosts;

/// The page: a console in one HTML file.
const CONSOLE: &str = include_str!("page.html");

/// Returns the page at /, 404 for other paths, and 421 for a foreign host.
pub(super) fn find(hosts: &Hosts, request: &Request<()>) -> Option<Response<Bytes>> {
    let text = "text/plain; charset=utf-8";
    let (status, content_type, body) = match (hosts.check(request.headers()), request.uri().path())
    {
        (Err(rejection), _) => {
            let response = rejection.to_response();
            (response.status(), text, Bytes::from(response.into_body()))
        }
        (Ok(()), "/") => {
            (StatusCode::OK, "text/html; charset=utf-8", Bytes::from_static(CONSOLE.as_bytes()))
        }
        (Ok(()), _) => {
            let body = "the page is at /; WebSockets can connect to any path\n";
            (StatusCode::NOT_FOUND, text, Bytes::from_static(body.as_bytes()))
        }
    };
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CONTENT_SECURITY_POLICY, POLICY.clone());
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    Some(response)
}

/// Allows only the page's own script and style, and WebSocket connections.
static POLICY: LazyLock<HeaderValue> = LazyLock::new(|| {
    let policy = format!(
        "default-src 'none'; script-src '{}'; style-src '{}'; img-src data:; connect-src ws: wss:; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        hash("script"),
        hash("style")
    );
    HeaderValue::try_from(policy).unwrap_or(HeaderValue::from_static("default-src 'none'"))
});

/// Returns the hash of an element's content, as the policy lists it.
fn hash(element: &str) -> String {
    let within = CONSOLE
        .split_once(&format!("<{element}>"))
        .and_then(|(_, rest)| rest.split_once(&format!("</{element}>")))
        .map_or("", |(within, _)| within);
    format!("sha256-{}", STANDARD.encode(digest(&SHA256, within.as_bytes())))
}
