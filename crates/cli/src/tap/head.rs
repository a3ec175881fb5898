//! The heads of requests and responses: as bytes, to be passed on, and as what they mean.

use std::io;
use std::time::Duration;

use bytes::BytesMut;
use fullduplex_net::ConnectOptions;
use fullduplex_net::proto::Url;
use fullduplex_net::proto::handshake::head::{HeadError, HeadReader};
use http::header::{
    AUTHORIZATION, CONNECTION, HOST, HeaderName, ORIGIN, SEC_WEBSOCKET_EXTENSIONS,
    SEC_WEBSOCKET_PROTOCOL, UPGRADE,
};
use http::{HeaderMap, Request, Response};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::time::{Instant, timeout_at};

/// How much is read of a head at once: all of it, mostly.
const READ: usize = 2 << 10;

/// A head that has passed.
#[derive(Debug)]
pub(super) struct Head<T> {
    /// As it came, with the empty line.
    pub(super) bytes: Vec<u8>,
    pub(super) content: T,
}

/// Why no head came.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoHead {
    /// Nothing was said at all.
    #[error("it said nothing")]
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

/// Reads the head of a request within `limit`; what follows it is left in `input`, and all of it if it is
/// malformed.
pub(super) async fn read_request(
    stream: &mut (impl AsyncRead + Unpin),
    input: &mut BytesMut,
    limit: Duration,
) -> Result<Head<Request<()>>, NoHead> {
    let mut reader = HeadReader::new();
    read(stream, input, limit, |input| reader.request(input)).await
}

/// The same for a response.
pub(super) async fn read_response(
    stream: &mut (impl AsyncRead + Unpin),
    input: &mut BytesMut,
    limit: Duration,
) -> Result<Head<Response<()>>, NoHead> {
    let mut reader = HeadReader::new();
    read(stream, input, limit, |input| reader.response(input)).await
}

async fn read<T>(
    stream: &mut (impl AsyncRead + Unpin),
    input: &mut BytesMut,
    limit: Duration,
    mut parse: impl FnMut(&mut BytesMut) -> Result<Option<T>, HeadError>,
) -> Result<Head<T>, NoHead> {
    let deadline = Instant::now() + limit;
    loop {
        let mut rest = input.clone();
        if let Some(content) = parse(&mut rest).map_err(NoHead::Malformed)? {
            let bytes = input[..input.len() - rest.len()].to_vec();
            *input = rest;
            return Ok(Head { bytes, content });
        }
        input.reserve(READ);
        match timeout_at(deadline, stream.read_buf(input)).await {
            Ok(Ok(0)) | Err(_) if input.is_empty() => return Err(NoHead::Nothing),
            Ok(Ok(0)) => return Err(NoHead::Ended),
            Ok(Ok(_)) => {}
            Ok(Err(error)) => return Err(NoHead::Broken(error)),
            Err(_) => return Err(NoHead::Late(limit)),
        }
    }
}

/// What a server of `url` is sent instead of this request: its lines as they are, but for the target,
/// the host, and what the user of this command wants otherwise.
pub(super) fn rewrite(head: &Head<Request<()>>, url: &Url, options: &ConnectOptions) -> Vec<u8> {
    let (request, headers) = (&head.content, head.content.headers());
    let mut further = options.headers.clone();
    if let Some(credentials) = url.credentials()
        && !further.contains_key(AUTHORIZATION)
    {
        further.insert(AUTHORIZATION, credentials.to_basic());
    }
    let mut dropped: Vec<HeaderName> = further.keys().cloned().collect();
    dropped.push(HOST);
    if options.deflate.is_none() {
        dropped.push(SEC_WEBSOCKET_EXTENSIONS);
    }
    let protocols: Vec<&str> = options.subprotocols.iter().map(|name| name.as_str()).collect();
    if !protocols.is_empty() {
        dropped.push(SEC_WEBSOCKET_PROTOCOL);
    }
    let own_origin = own_origin(headers, url).filter(|_| !further.contains_key(ORIGIN));
    if own_origin.is_some() {
        dropped.push(ORIGIN);
    }
    let is_plain_http = !headers.contains_key(UPGRADE);
    if is_plain_http {
        // Nobody would rewrite a second request of this connection.
        dropped.push(CONNECTION);
    }
    let target = match url.resource_name().as_str() {
        // A client may know its way about the server.
        "/" => request.uri().path_and_query().map_or("/", |target| target.as_str()),
        target => target,
    };
    let mut out = format!("{} {target} {:?}\r\n", request.method(), request.version()).into_bytes();
    line(&mut out, "Host", url.authority().as_bytes());
    for header in head.bytes.split_inclusive(|byte| *byte == b'\n').skip(1) {
        let name = header.split(|byte| *byte == b':').next().unwrap_or_default();
        let is_dropped = HeaderName::from_bytes(name).is_ok_and(|name| dropped.contains(&name));
        if !is_dropped && header != b"\r\n" {
            out.extend_from_slice(header);
        }
    }
    if let Some(origin) = own_origin {
        line(&mut out, "Origin", origin.as_bytes());
    }
    for (name, value) in &further {
        line(&mut out, name.as_str(), value.as_bytes());
    }
    if !protocols.is_empty() {
        line(&mut out, "Sec-WebSocket-Protocol", protocols.join(", ").as_bytes());
    }
    if is_plain_http {
        line(&mut out, "Connection", b"close");
    }
    out.extend_from_slice(b"\r\n");
    out
}

/// The origin of the server, if the client is a page of it: one that has come through here.
fn own_origin(headers: &HeaderMap, url: &Url) -> Option<String> {
    let (origin, host) = (headers.get(ORIGIN)?, headers.get(HOST)?);
    let is_own = origin.as_bytes().strip_prefix(b"http://") == Some(host.as_bytes());
    let scheme = if url.is_secure() { "https" } else { "http" };
    is_own.then(|| format!("{scheme}://{}", url.authority()))
}

fn line(out: &mut Vec<u8>, name: &str, value: &[u8]) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

/// The values of all lines of a header, for people.
pub(super) fn all(headers: &HeaderMap, name: HeaderName) -> Option<String> {
    let values: Vec<_> = headers
        .get_all(name)
        .iter()
        .map(|value| String::from_utf8_lossy(value.as_bytes()))
        .collect();
    (!values.is_empty()).then(|| values.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    async fn rewritten(request: &str, url: &str, options: &ConnectOptions) -> String {
        let mut input = BytesMut::new();
        let limit = Duration::from_secs(1);
        let head = read_request(&mut request.as_bytes(), &mut input, limit).await.unwrap();
        assert_eq!(input, "rest");
        let url = Url::parse(url).unwrap();
        String::from_utf8(rewrite(&head, &url, options)).unwrap()
    }

    const REQUEST: &str = "GET /room?a=b HTTP/1.1\r\nhOST: 127.0.0.1:9002\r\n\
        X-Odd:  two  spaces\r\nSec-WebSocket-Extensions: x\r\nUpgrade: websocket\r\n\r\nrest";

    #[tokio::test]
    async fn a_request_passes_as_it_is_but_for_the_host() {
        let request = rewritten(REQUEST, "wss://example.com/", &ConnectOptions::default()).await;
        assert_eq!(
            request,
            "GET /room?a=b HTTP/1.1\r\nHost: example.com\r\nX-Odd:  two  spaces\r\n\
             Sec-WebSocket-Extensions: x\r\nUpgrade: websocket\r\n\r\n"
        );
    }

    #[tokio::test]
    async fn what_the_user_says_replaces_what_the_client_says() {
        let mut options = ConnectOptions::new().deflate(None);
        options.headers.insert("x-odd", HeaderValue::from_static("other"));
        let request = rewritten(REQUEST, "ws://me:secret@example.com/own", &options).await;
        assert_eq!(
            request,
            "GET /own HTTP/1.1\r\nHost: example.com\r\nUpgrade: websocket\r\nx-odd: other\r\n\
             authorization: Basic bWU6c2VjcmV0\r\n\r\n"
        );
    }

    /// A server that lets its own pages in lets them in.
    #[tokio::test]
    async fn a_page_that_came_through_here_is_the_servers_own() {
        let request = |origin: &str| {
            format!("GET / HTTP/1.1\r\nHost: a:1\r\nOrigin: {origin}\r\nUpgrade: x\r\n\r\nrest")
        };
        for (origin, becomes) in
            [("http://a:1", "https://b:2"), ("http://a", "http://a"), ("null", "null")]
        {
            let options = ConnectOptions::default();
            let sent = rewritten(&request(origin), "wss://b:2/", &options).await;
            assert!(sent.contains(&format!("\r\nOrigin: {becomes}\r\n")), "{sent}");
        }
    }

    #[tokio::test]
    async fn a_request_without_an_upgrade_is_the_last_of_its_connection() {
        let request = "GET / HTTP/1.1\r\nConnection: keep-alive\r\n\r\nrest";
        let request = rewritten(request, "ws://localhost:1/", &ConnectOptions::default()).await;
        assert_eq!(request, "GET / HTTP/1.1\r\nHost: localhost:1\r\nConnection: close\r\n\r\n");
    }
}
