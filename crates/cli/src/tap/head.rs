//! The heads of requests and responses: the bytes to forward, and the parsed form.

use std::io;
use std::time::Duration;

use bytes::BytesMut;
use fullduplex_net::ConnectOptions;
use fullduplex_net::proto::handshake::head::{HeadError, HeadReader};
use fullduplex_net::proto::{Limits, Url};
use http::header::{
    CONNECTION, HOST, HeaderName, ORIGIN, SEC_WEBSOCKET_EXTENSIONS, SEC_WEBSOCKET_PROTOCOL, UPGRADE,
};
use http::{HeaderMap, HeaderValue, Request, Response, Uri};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::time::{Instant, timeout_at};

/// The number of bytes of a head that are read at once. Most heads are shorter.
const READ: usize = 2 << 10;

/// A head that was read.
#[derive(Debug)]
pub(super) struct Head<T> {
    /// The bytes, with the empty line.
    pub(super) bytes: Vec<u8>,
    pub(super) content: T,
}

/// Why no head was read.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoHead {
    /// The stream ended, or the time limit elapsed, before the first byte.
    #[error("it sent nothing")]
    Nothing,
    #[error("it ended within an HTTP head")]
    Ended,
    #[error("it took longer than {0:?}")]
    Late(Duration),
    #[error(transparent)]
    Broken(io::Error),
    #[error(transparent)]
    Malformed(HeadError),
}

/// The sender of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sender {
    /// A program, or a page that was loaded through this tap.
    User,
    /// A page of another site. The tap does not add headers, credentials or the origin of the user to its requests.
    ForeignPage,
}

/// Reads the head of a request within the time `limit`. The bytes after the head stay in `input`. If the head is
/// malformed, all bytes stay.
pub(super) async fn read_request(
    stream: &mut (impl AsyncRead + Unpin),
    input: &mut BytesMut,
    limits: Limits,
    limit: Duration,
) -> Result<Head<Request<()>>, NoHead> {
    let mut reader = HeadReader::new(limits);
    read(stream, input, limit, |input| reader.request(input)).await
}

/// Reads the head of a response, as [`read_request`] does.
pub(super) async fn read_response(
    stream: &mut (impl AsyncRead + Unpin),
    input: &mut BytesMut,
    limits: Limits,
    limit: Duration,
) -> Result<Head<Response<()>>, NoHead> {
    let mut reader = HeadReader::new(limits);
    read(stream, input, limit, |input| reader.response(input)).await
}

async fn read<T>(
    stream: &mut (impl AsyncRead + Unpin),
    input: &mut BytesMut,
    limit: Duration,
    mut parse: impl FnMut(&mut BytesMut) -> Result<Option<T>, HeadError>,
) -> Result<Head<T>, NoHead> {
    let deadline = Instant::now() + limit;
    let mut bytes = input.to_vec();
    loop {
        match parse(input) {
            Ok(None) => {}
            Ok(Some(content)) => {
                bytes.truncate(bytes.len() - input.len());
                // The reader has ignored empty lines before a request.
                let start = bytes.iter().position(|byte| !b"\r\n".contains(byte));
                bytes.drain(..start.unwrap_or(0));
                return Ok(Head { bytes, content });
            }
            Err(error) => {
                *input = BytesMut::from(&bytes[..]);
                return Err(NoHead::Malformed(error));
            }
        }
        let start = input.len();
        input.reserve(READ);
        match timeout_at(deadline, stream.read_buf(input)).await {
            Ok(Ok(0)) | Err(_) if bytes.is_empty() => return Err(NoHead::Nothing),
            Ok(Ok(0)) => return Err(NoHead::Ended),
            Ok(Ok(_)) => bytes.extend_from_slice(&input[start..]),
            Ok(Err(error)) => return Err(NoHead::Broken(error)),
            Err(_) => return Err(NoHead::Late(limit)),
        }
    }
}

/// What the tap changes in a request.
struct Changes {
    target: String,
    dropped: Vec<HeaderName>,
    added: Vec<(String, HeaderValue)>,
}

impl Changes {
    fn new<T>(request: &Request<T>, sender: Sender, url: &Url, options: &ConnectOptions) -> Self {
        let headers = request.headers();
        let further = match sender {
            Sender::User => user_headers(url, options),
            Sender::ForeignPage => HeaderMap::new(),
        };
        let mut dropped: Vec<HeaderName> = further.keys().cloned().collect();
        let mut added = Vec::new();
        dropped.push(HOST);
        if options.deflate.is_none() {
            dropped.push(SEC_WEBSOCKET_EXTENSIONS);
        }
        // The server accepts pages of its own origin. Pages that were loaded through this tap have another
        // origin.
        if sender == Sender::User && headers.contains_key(ORIGIN) && !further.contains_key(ORIGIN) {
            dropped.push(ORIGIN);
            let scheme = if url.is_secure() { "https" } else { "http" };
            let origin = HeaderValue::try_from(format!("{scheme}://{}", url.authority()));
            added.extend(origin.map(|origin| ("Origin".to_owned(), origin)));
        }
        added.extend(further.iter().map(|(name, value)| (name.to_string(), value.clone())));
        let protocols: Vec<&str> = options.subprotocols.iter().map(|name| name.as_str()).collect();
        if !protocols.is_empty() {
            dropped.push(SEC_WEBSOCKET_PROTOCOL);
            let offer = HeaderValue::try_from(protocols.join(", "));
            added.extend(offer.map(|offer| ("Sec-WebSocket-Protocol".to_owned(), offer)));
        }
        let target = match url.resource_name().as_str() {
            // If the URL has no path, the path of the client's request is used.
            "/" => request.uri().path_and_query().map_or("/", |target| target.as_str()).to_owned(),
            target => target.to_owned(),
        };
        Self { target, dropped, added }
    }
}

/// Returns the head that is sent to the server of `url` instead of this request. Its lines are unchanged, except for
/// the target, the host, and the headers that the options of this command replace.
pub(super) fn rewrite(
    head: &Head<Request<()>>,
    sender: Sender,
    url: &Url,
    options: &ConnectOptions,
) -> Vec<u8> {
    let request = &head.content;
    let Changes { target, mut dropped, added } = Changes::new(request, sender, url, options);
    let is_plain_http = !request.headers().contains_key(UPGRADE);
    if is_plain_http {
        dropped.push(CONNECTION);
    }
    let mut out = format!("{} {target} {:?}\r\n", request.method(), request.version()).into_bytes();
    line(&mut out, "Host", url.authority().as_bytes());
    for header in head.bytes.split_inclusive(|byte| *byte == b'\n').skip(1) {
        let name = header.split(|byte| *byte == b':').next().unwrap_or_default();
        let is_dropped = HeaderName::from_bytes(name).is_ok_and(|name| dropped.contains(&name));
        if !is_dropped && header != b"\r\n" {
            out.extend_from_slice(header);
        }
    }
    for (name, value) in &added {
        line(&mut out, name, value.as_bytes());
    }
    if is_plain_http {
        // A connection carries only one request; see `wire.rs`.
        line(&mut out, "Connection", b"close");
    }
    out.extend_from_slice(b"\r\n");
    out
}

/// Changes a request of HTTP/2 as [`rewrite`] does.
pub(super) fn rewrite_http2<T>(
    request: &mut Request<T>,
    sender: Sender,
    url: &Url,
    options: &ConnectOptions,
) -> Result<(), http::Error> {
    let Changes { target, dropped, added } = Changes::new(request, sender, url, options);
    let scheme = if url.is_secure() { "https" } else { "http" };
    let uri = Uri::builder().scheme(scheme).authority(url.authority()).path_and_query(target);
    *request.uri_mut() = uri.build()?;
    for name in dropped {
        request.headers_mut().remove(name);
    }
    for (name, value) in added {
        request.headers_mut().append(HeaderName::from_bytes(name.as_bytes())?, value);
    }
    Ok(())
}

/// Returns the headers that the user of this command adds, with the credentials of the URL.
fn user_headers(url: &Url, options: &ConnectOptions) -> HeaderMap {
    let mut headers = options.headers.clone();
    url.add_authorization(&mut headers);
    headers
}

/// Returns the sender of a request that reached this tap at `port`.
///
/// A page that was loaded through this tap has the address of this tap as its origin. For images and links, a browser
/// sends no Origin. In this case, `Sec-Fetch-Site` shows whether another site sent the request.
pub(super) fn sender_of(headers: &HeaderMap, port: u16) -> Sender {
    let is_own = match headers.get(ORIGIN) {
        Some(origin) => {
            let host = origin.as_bytes().strip_prefix(b"http://");
            // The browser sends the same host in both headers. `HostPolicy` has checked that it is a host of this tap.
            host.is_some()
                && host == headers.get(HOST).map(|host| host.as_bytes())
                && host.is_some_and(|host| port_of(host) == Some(port))
        }
        None => true,
    };
    let is_same_site = headers
        .get_all("sec-fetch-site")
        .iter()
        .all(|site| matches!(site.as_bytes(), b"same-origin" | b"none"));
    if is_own && is_same_site { Sender::User } else { Sender::ForeignPage }
}

fn port_of(host: &[u8]) -> Option<u16> {
    let host = str::from_utf8(host).ok()?;
    match host.rsplit_once(':') {
        Some((_, port)) if !port.contains(']') => port.parse().ok(),
        _ => Some(80),
    }
}

fn line(out: &mut Vec<u8>, name: &str, value: &[u8]) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn rewritten(request: &str, url: &str, options: &ConnectOptions) -> String {
        let mut input = BytesMut::new();
        let limit = Duration::from_secs(1);
        let head = read_request(&mut request.as_bytes(), &mut input, Limits::default(), limit)
            .await
            .unwrap();
        assert_eq!(input, "rest");
        let url = Url::parse(url).unwrap();
        let sender = sender_of(head.content.headers(), 1);
        String::from_utf8(rewrite(&head, sender, &url, options)).unwrap()
    }

    const REQUEST: &str = "GET /room?a=b HTTP/1.1\r\nhOST: 127.0.0.1:9002\r\n\
        X-Odd:  two  spaces\r\nSec-WebSocket-Extensions: x\r\nUpgrade: websocket\r\n\r\nrest";

    #[tokio::test]
    async fn a_request_passes_unchanged_except_for_the_host() {
        let request = rewritten(REQUEST, "wss://example.com/", &ConnectOptions::default()).await;
        assert_eq!(
            request,
            "GET /room?a=b HTTP/1.1\r\nHost: example.com\r\nX-Odd:  two  spaces\r\n\
             Sec-WebSocket-Extensions: x\r\nUpgrade: websocket\r\n\r\n"
        );
    }

    /// FS-11
    #[tokio::test]
    async fn empty_lines_before_a_request_do_not_pass() {
        let request = format!("\r\n\r\n{REQUEST}");
        let request = rewritten(&request, "ws://a/", &ConnectOptions::default()).await;
        assert!(request.starts_with("GET /room?a=b HTTP/1.1\r\nHost: a\r\nX-Odd"), "{request}");
    }

    #[tokio::test]
    async fn options_replace_what_the_client_sends() {
        let mut options = ConnectOptions::new().deflate(None);
        options.headers.insert("x-odd", HeaderValue::from_static("other"));
        let request = rewritten(REQUEST, "ws://me:secret@example.com/own", &options).await;
        assert_eq!(
            request,
            "GET /own HTTP/1.1\r\nHost: example.com\r\nUpgrade: websocket\r\nx-odd: other\r\n\
             authorization: Basic bWU6c2VjcmV0\r\n\r\n"
        );
    }

    /// FK-05: a page that was loaded through this tap is treated as a page of the server. Requests of a page of another
    /// site get no credentials of the user, even if the page uses another name for 127.0.0.1.
    #[tokio::test]
    async fn only_pages_of_this_tap_get_the_users_credentials() {
        let mut options = ConnectOptions::default();
        options.headers.insert("cookie", HeaderValue::from_static("of=user"));
        let url = "wss://me:pass@b:2/";
        for (head, origin) in [
            ("Host: 127.0.0.1:1\r\nOrigin: http://127.0.0.1:1", Some("https://b:2")),
            (
                "Host: localhost:1\r\nOrigin: http://localhost:1\r\nSec-Fetch-Site: same-origin",
                Some("https://b:2"),
            ),
            ("Host: localhost:1\r\nSec-Fetch-Site: none", None),
            ("Host: 127.0.0.1:1", None),
        ] {
            let request = format!("GET / HTTP/1.1\r\n{head}\r\nUpgrade: x\r\n\r\nrest");
            let sent = rewritten(&request, url, &options).await;
            assert!(sent.contains("cookie: of=user") && sent.contains("authorization: "), "{sent}");
            let found = sent.lines().find_map(|line| line.strip_prefix("Origin: "));
            assert_eq!(found, origin, "{sent}");
        }
        for (head, origin) in [
            ("Host: 127.0.0.1:1\r\nOrigin: http://evil.example", Some("http://evil.example")),
            ("Host: evil.example\r\nOrigin: http://evil.example", Some("http://evil.example")),
            ("Host: 127.0.0.1:1\r\nOrigin: https://127.0.0.1:1", Some("https://127.0.0.1:1")),
            ("Host: 127.0.0.1:1\r\nOrigin: http://127.0.0.1:3000", Some("http://127.0.0.1:3000")),
            ("Host: 127.0.0.1:1\r\nOrigin: null", Some("null")),
            ("Host: 127.0.0.1:1\r\nSec-Fetch-Site: cross-site", None),
            ("Host: 127.0.0.1:1\r\nSec-Fetch-Site: same-site", None),
        ] {
            let request = format!("GET / HTTP/1.1\r\n{head}\r\n\r\nrest");
            let sent = rewritten(&request, url, &options).await;
            assert!(!sent.contains("cookie") && !sent.contains("authorization"), "{sent}");
            let found = sent.lines().find_map(|line| line.strip_prefix("Origin: "));
            assert_eq!(found, origin, "{sent}");
        }
    }

    #[tokio::test]
    async fn a_request_without_an_upgrade_closes_its_connection() {
        let request = "GET / HTTP/1.1\r\nConnection: keep-alive\r\n\r\nrest";
        let request = rewritten(request, "ws://localhost:1/", &ConnectOptions::default()).await;
        assert_eq!(request, "GET / HTTP/1.1\r\nHost: localhost:1\r\nConnection: close\r\n\r\n");
    }
}
