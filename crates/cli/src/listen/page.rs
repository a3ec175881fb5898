use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderValue, Request, Response, StatusCode};
use ring::digest::{SHA256, digest};

/// The page: a console in one HTML file.
const CONSOLE: &str = include_str!("page.html");

/// Returns the page at /, and 404 for other paths.
pub(super) fn find(request: &Request<()>) -> Option<Response<Bytes>> {
    let (status, content_type, body) = match request.uri().path() {
        "/" => (StatusCode::OK, "text/html; charset=utf-8", CONSOLE),
        _ => {
            let body = "the page is at /; WebSockets can connect to any path\n";
            (StatusCode::NOT_FOUND, "text/plain; charset=utf-8", body)
        }
    };
    let mut response = Response::new(Bytes::from_static(body.as_bytes()));
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
