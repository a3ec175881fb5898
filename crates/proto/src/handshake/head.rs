//! The head of an HTTP/1.1 message: its first line and its headers, as bytes.

use bytes::{Bytes, BytesMut};
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Uri, Version,
};

use super::Rejection;

/// The most headers of one head.
pub const MAX_HEADERS: usize = 100;

/// The most bytes of one head.
pub const MAX_BYTES: usize = 16 << 10;

/// Why bytes are not the head of an HTTP/1.1 message that this end takes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HeadError {
    /// The first line is no line of HTTP/1.x.
    #[error("the peer does not speak HTTP/1.1: it sent {0}")]
    NotHttp(String),
    /// A line ends with LF alone, which two HTTP parsers may read differently.
    #[error("a line of the HTTP head does not end with CR LF")]
    BareLineFeed,
    /// More than [`MAX_BYTES`].
    #[error("the HTTP head is longer than {MAX_BYTES} bytes")]
    TooLong,
    /// More than [`MAX_HEADERS`].
    #[error("the HTTP head has more than {MAX_HEADERS} headers")]
    TooManyHeaders,
    /// Something else that RFC 9112 does not allow.
    #[error("the HTTP head is malformed: {0}")]
    Malformed(String),
}

impl HeadError {
    /// The answer of a server that read this instead of a request.
    pub fn rejection(&self) -> Rejection {
        let status = match self {
            Self::TooLong | Self::TooManyHeaders => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            _ => StatusCode::BAD_REQUEST,
        };
        Rejection::new(status, self.to_string())
    }
}

/// Finds the end of a head in bytes that arrive in any pieces, looking at each of them once.
///
/// Call [`HeadReader::request`] or [`HeadReader::response`] after each read with all bytes read so
/// far; once it returns the head, what follows it is left in the input.
#[derive(Debug, Default)]
pub struct HeadReader {
    scanned: usize,
    line_start: usize,
}

impl HeadReader {
    /// A reader at the beginning of a head.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes a request's head off `input`, once it is whole; `None` asks for more bytes.
    ///
    /// # Errors
    /// [`HeadError`], as early as the bytes allow it.
    pub fn request(&mut self, input: &mut BytesMut) -> Result<Option<Request<()>>, HeadError> {
        if input.first().is_some_and(|byte| !byte.is_ascii_uppercase()) {
            return Err(not_http(input));
        }
        self.take_head(input, |line| httparse::Request::new(&mut []).parse(line).err())?
            .map(parse_request)
            .transpose()
    }

    /// Takes a response's head off `input`, once it is whole; `None` asks for more bytes.
    ///
    /// # Errors
    /// [`HeadError`], as early as the bytes allow it.
    pub fn response(&mut self, input: &mut BytesMut) -> Result<Option<Response<()>>, HeadError> {
        let expected = b"HTTP/1.";
        let arrived = input.len().min(expected.len());
        if input[..arrived] != expected[..arrived] {
            return Err(not_http(input));
        }
        self.take_head(input, |line| httparse::Response::new(&mut []).parse(line).err())?
            .map(parse_response)
            .transpose()
    }

    /// Splits the head off, empty line included. The first line is judged when it is whole, so that
    /// a peer of another protocol is not waited for.
    fn take_head(
        &mut self,
        input: &mut BytesMut,
        first_line_error: impl Fn(&[u8]) -> Option<httparse::Error>,
    ) -> Result<Option<Bytes>, HeadError> {
        while let Some(&byte) = input.get(self.scanned) {
            self.scanned += 1;
            if self.scanned > MAX_BYTES {
                return Err(HeadError::TooLong);
            }
            if byte != b'\n' {
                continue;
            }
            let line = &input[self.line_start..self.scanned];
            if !line.ends_with(b"\r\n") {
                return Err(HeadError::BareLineFeed);
            }
            if line == b"\r\n" {
                return Ok(Some(input.split_to(self.scanned).freeze()));
            }
            if self.line_start == 0 && first_line_error(line).is_some() {
                return Err(not_http(input));
            }
            self.line_start = self.scanned;
        }
        Ok(None)
    }
}

/// Appends a request's head to `out` (RFC6455-4.1-12).
pub fn encode_request<B>(request: &Request<B>, out: &mut Vec<u8>) {
    let target = request.uri().path_and_query().map_or("/", |target| target.as_str());
    out.extend_from_slice(format!("{} {target} HTTP/1.1\r\n", request.method()).as_bytes());
    encode_headers(request.headers(), out);
}

/// Appends a response's head to `out`.
pub fn encode_response<B>(response: &Response<B>, out: &mut Vec<u8>) {
    let status = response.status();
    let reason = status.canonical_reason().unwrap_or_default();
    out.extend_from_slice(format!("HTTP/1.1 {} {reason}\r\n", status.as_str()).as_bytes());
    encode_headers(response.headers(), out);
}

/// A `HeaderName` is a token and a `HeaderValue` has no line break: nothing can be injected here
/// (faults H11 and H12).
fn encode_headers(headers: &HeaderMap, out: &mut Vec<u8>) {
    for (name, value) in headers {
        encode_name(name.as_str(), out);
        out.extend_from_slice(b": ");
        out.extend_from_slice(value.as_bytes());
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"\r\n");
}

/// Writes a header name in the usual capitals, as browsers do. Names are compared without case, but some
/// old servers expect these capitals (FC-02).
fn encode_name(name: &str, out: &mut Vec<u8>) {
    for (index, part) in name.split('-').enumerate() {
        if index > 0 {
            out.push(b'-');
        }
        match part {
            "websocket" => out.extend_from_slice(b"WebSocket"),
            "www" => out.extend_from_slice(b"WWW"),
            "etag" => out.extend_from_slice(b"ETag"),
            _ => {
                let start = out.len();
                out.extend_from_slice(part.as_bytes());
                out[start..].iter_mut().take(1).for_each(|byte| byte.make_ascii_uppercase());
            }
        }
    }
}

fn parse_request(head: Bytes) -> Result<Request<()>, HeadError> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut parsed = httparse::Request::new(&mut headers);
    parsed.parse(&head).map_err(not_parsed)?;
    let mut request = Request::new(());
    let method = parsed.method.unwrap_or_default();
    *request.method_mut() = Method::from_bytes(method.as_bytes()).map_err(malformed)?;
    let target = parsed.path.unwrap_or_default();
    if target.contains('#') {
        // `Uri` would drop it without a word.
        return Err(malformed("a request target has no fragment"));
    }
    *request.uri_mut() = Uri::try_from(target).map_err(malformed)?;
    *request.version_mut() = version(parsed.version);
    *request.headers_mut() = copy_headers(parsed.headers)?;
    Ok(request)
}

fn parse_response(head: Bytes) -> Result<Response<()>, HeadError> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut parsed = httparse::Response::new(&mut headers);
    parsed.parse(&head).map_err(not_parsed)?;
    let mut response = Response::new(());
    let status = parsed.code.unwrap_or_default();
    *response.status_mut() = StatusCode::from_u16(status).map_err(malformed)?;
    *response.version_mut() = version(parsed.version);
    *response.headers_mut() = copy_headers(parsed.headers)?;
    Ok(response)
}

fn copy_headers(parsed: &[httparse::Header<'_>]) -> Result<HeaderMap, HeadError> {
    let mut headers = HeaderMap::with_capacity(parsed.len());
    for header in parsed {
        // RFC6455-4.1-31: from here on all names are in lower case.
        let name = HeaderName::from_bytes(header.name.as_bytes()).map_err(malformed)?;
        headers.append(name, HeaderValue::from_bytes(header.value).map_err(malformed)?);
    }
    Ok(headers)
}

fn version(minor: Option<u8>) -> Version {
    if minor == Some(1) { Version::HTTP_11 } else { Version::HTTP_10 }
}

fn not_parsed(error: httparse::Error) -> HeadError {
    match error {
        httparse::Error::TooManyHeaders => HeadError::TooManyHeaders,
        other => malformed(other),
    }
}

fn malformed(error: impl ToString) -> HeadError {
    HeadError::Malformed(error.to_string())
}

/// What arrived, for the message: its beginning, readable.
fn not_http(input: &[u8]) -> HeadError {
    if let [0x15 | 0x16, 0x03, ..] = input {
        // An alert or a handshake of TLS.
        return HeadError::NotHttp("TLS, which belongs to wss:// addresses".into());
    }
    let beginning = &input[..input.len().min(40)];
    HeadError::NotHttp(format!("`{}`", beginning.escape_ascii()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// FC-02
    #[test]
    fn header_names_are_written_in_the_usual_capitals() {
        for (name, written) in [
            ("sec-websocket-key", "Sec-WebSocket-Key"),
            ("host", "Host"),
            ("proxy-authorization", "Proxy-Authorization"),
            ("www-authenticate", "WWW-Authenticate"),
            ("etag", "ETag"),
            ("x-1a-", "X-1a-"),
            ("x--y_z", "X--Y_z"),
        ] {
            let mut out = Vec::new();
            encode_name(name, &mut out);
            assert_eq!(out, written.as_bytes());
        }
    }
}
