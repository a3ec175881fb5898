//! Handshake requests and responses as text, and a function that changes one line of them.

use bytes::BytesMut;
use fullduplex_proto::Limits;
use fullduplex_proto::handshake::head::{HeadError, HeadReader};
use http::{Request, Response};

/// The defaults of `Limits::head_bytes` and `Limits::head_headers`.
pub(crate) const MAX_BYTES: usize = 16 << 10;
pub(crate) const MAX_HEADERS: usize = 100;

/// The request of RFC 6455 section 1.3, without its optional headers.
pub(crate) const REQUEST: [&str; 6] = [
    "GET /chat HTTP/1.1",
    "Host: server.example.com",
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version: 13",
];

/// The response to this request.
pub(crate) const RESPONSE: [&str; 4] = [
    "HTTP/1.1 101 Switching Protocols",
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
];

/// The nonce of the key above.
pub(crate) const NONCE: [u8; 16] = *b"the sample nonce";

/// Creates a head from `lines`. The lines `by` replace the line that begins with `replaced`. If `replaced` is
/// empty, the lines `by` are added at the end.
pub(crate) fn head(lines: &[&str], replaced: &str, by: &[&str]) -> String {
    let is_replaced = |line: &str| !replaced.is_empty() && line.starts_with(replaced);
    let at = lines.iter().position(|line| is_replaced(line)).unwrap_or(lines.len());
    assert_eq!(at < lines.len(), !replaced.is_empty(), "there is no line `{replaced}`");
    let after = lines.iter().skip(at + 1);
    let changed: Vec<&str> = lines[..at].iter().chain(by).chain(after).copied().collect();
    changed.join("\r\n") + "\r\n\r\n"
}

/// Parses a request.
pub(crate) fn request(bytes: impl AsRef<[u8]>) -> Result<Option<Request<()>>, HeadError> {
    HeadReader::new(Limits::default()).request(&mut BytesMut::from(bytes.as_ref()))
}

/// Parses a response.
pub(crate) fn response(bytes: impl AsRef<[u8]>) -> Result<Option<Response<()>>, HeadError> {
    HeadReader::new(Limits::default()).response(&mut BytesMut::from(bytes.as_ref()))
}
