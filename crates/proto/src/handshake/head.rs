//! Parsing and encoding of the head of an HTTP/1.1 message: its first line and its headers.

use bytes::{Buf, BytesMut};
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Uri, Version,
};

use super::Rejection;
use crate::limits::Limits;

/// Why bytes are not the head of an HTTP/1.1 message, or exceed [`Limits`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HeadError {
    /// The first line does not belong to an HTTP/1.x message.
    #[error("the peer does not speak HTTP/1.1: it sent {0}")]
    NotHttp(String),
    /// A line ends with LF alone. HTTP parsers differ in how they interpret such a line.
    #[error("a line of the HTTP head does not end with CR LF")]
    BareLineFeed,
    /// The head has more bytes than [`Limits::head_bytes`]. Holds the limit.
    #[error("the HTTP head exceeds the limit of {0} bytes")]
    TooLong(usize),
    /// The head has more headers than [`Limits::head_headers`]. Holds the limit.
    #[error("the HTTP head exceeds the limit of {0} headers")]
    TooManyHeaders(usize),
    /// The head breaks another rule of RFC 9112.
    #[error("the HTTP head is malformed: {0}")]
    Malformed(String),
}

impl HeadError {
    /// Returns the response to send if a server finds this error in a request.
    pub fn rejection(&self) -> Rejection {
        let status = match self {
            Self::TooLong(_) | Self::TooManyHeaders(_) => {
                StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE
            }
            _ => StatusCode::BAD_REQUEST,
        };
        Rejection::new(status, self.to_string())
    }
}

/// Reads one head from bytes that arrive in pieces of any size. It scans each byte once.
///
/// After each read, call [`HeadReader::request`] or [`HeadReader::response`] with all bytes that were read so
/// far. When the method returns the head, the bytes after it remain in the input.
#[derive(Debug)]
pub struct HeadReader {
    max_bytes: usize,
    max_headers: usize,
    /// How many bytes of the input were scanned.
    scanned: usize,
    line_start: usize,
    /// The number of headers so far. A header with continuation lines counts once.
    headers: usize,
    /// The number of bytes of the empty lines before a request. They are no longer in the input.
    skipped: usize,
}

impl HeadReader {
    /// Creates a reader for one head. [`Limits::head_bytes`] and [`Limits::head_headers`] apply to it.
    pub fn new(limits: Limits) -> Self {
        let Limits { head_bytes: max_bytes, head_headers: max_headers, .. } = limits;
        Self { max_bytes, max_headers, scanned: 0, line_start: 0, headers: 0, skipped: 0 }
    }

    /// Removes the head of a request from `input`, if it is complete, and parses it. Returns `None` if more
    /// bytes are needed.
    ///
    /// Empty lines before the request are ignored.
    ///
    /// # Errors
    /// [`HeadError`], as soon as the bytes that have arrived show the error.
    pub fn request(&mut self, input: &mut BytesMut) -> Result<Option<Request<()>>, HeadError> {
        self.skip_empty_lines(input)?;
        if !matches!(input[..], [] | [b'\r'] | [b'A'..=b'Z', ..]) {
            return Err(not_http(input));
        }
        let head = self.take_head(input, |line| {
            httparse::Request::new(&mut []).parse(line).err().map(|_| bad_request_line(line))
        })?;
        head.map(|head| parse_request(&head, self.headers)).transpose()
    }

    /// Removes the head of a response from `input`, if it is complete, and parses it. Returns `None` if more
    /// bytes are needed.
    ///
    /// # Errors
    /// [`HeadError`], as soon as the bytes that have arrived show the error.
    pub fn response(&mut self, input: &mut BytesMut) -> Result<Option<Response<()>>, HeadError> {
        let expected = b"HTTP/1.";
        let arrived = input.len().min(expected.len());
        if input[..arrived] != expected[..arrived] {
            return Err(not_http(input));
        }
        let head = self.take_head(input, |line| {
            httparse::Response::new(&mut []).parse(line).err().map(|_| not_http(line))
        })?;
        let headers = self.headers;
        head.map(|mut head| {
            unfold(&mut head);
            parse_response(&head, headers)
        })
        .transpose()
    }

    /// RFC 9112 section 2.2: a server ignores empty lines before the request line (FS-11). The empty lines
    /// count towards the limit.
    fn skip_empty_lines(&mut self, input: &mut BytesMut) -> Result<(), HeadError> {
        const EMPTY: &[u8] = b"\r\n";
        while self.line_start == 0 && input.starts_with(EMPTY) {
            input.advance(EMPTY.len());
            self.scanned = 0;
            self.skipped += EMPTY.len();
            if self.skipped > self.max_bytes {
                return Err(HeadError::TooLong(self.max_bytes));
            }
        }
        Ok(())
    }

    /// Splits off the head, with the empty line at its end. The first line is checked as soon as it is
    /// complete, so that a peer with another protocol is rejected early.
    fn take_head(
        &mut self,
        input: &mut BytesMut,
        first_line_error: impl Fn(&[u8]) -> Option<HeadError>,
    ) -> Result<Option<BytesMut>, HeadError> {
        // The first `most` bytes of the input are within the limit.
        let most = (self.max_bytes - self.skipped).min(input.len());
        while let Some(len) = input[self.scanned..most].iter().position(|byte| *byte == b'\n') {
            self.scanned += len + 1;
            match &input[self.line_start..self.scanned] {
                b"\r\n" => return Ok(Some(input.split_to(self.scanned))),
                line if !line.ends_with(b"\r\n") => return Err(HeadError::BareLineFeed),
                line if self.line_start == 0 => {
                    if let Some(error) = first_line_error(line) {
                        return Err(error);
                    }
                }
                // A continuation of the previous header.
                [b' ' | b'\t', ..] => {}
                _ if self.headers == self.max_headers => {
                    return Err(HeadError::TooManyHeaders(self.max_headers));
                }
                _ => self.headers += 1,
            }
            self.line_start = self.scanned;
        }
        self.scanned = most;
        if most < input.len() { Err(HeadError::TooLong(self.max_bytes)) } else { Ok(None) }
    }
}

/// Appends the head of a request to `out` (RFC6455-4.1-12).
pub fn encode_request<B>(request: &Request<B>, out: &mut Vec<u8>) {
    let target = request.uri().path_and_query().map_or("/", |target| target.as_str());
    out.reserve(USUAL_LEN);
    for part in [request.method().as_str(), " ", target, " HTTP/1.1\r\n"] {
        out.extend_from_slice(part.as_bytes());
    }
    encode_headers(request.headers(), out);
}

/// Appends the head of a response to `out`.
pub fn encode_response<B>(response: &Response<B>, out: &mut Vec<u8>) {
    let status = response.status();
    let reason = status.canonical_reason().unwrap_or_default();
    out.reserve(USUAL_LEN);
    for part in ["HTTP/1.1 ", status.as_str(), " ", reason, "\r\n"] {
        out.extend_from_slice(part.as_bytes());
    }
    encode_headers(response.headers(), out);
}

/// Writes the headers. A `HeaderName` is a token and a `HeaderValue` has no line break, so nothing can be injected here
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

/// Writes a header name with the usual capital letters, like browsers. Names are compared without regard to
/// case, but some old servers expect these capital letters (FC-02).
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

fn parse_request(head: &[u8], headers: usize) -> Result<Request<()>, HeadError> {
    let mut headers = vec![httparse::EMPTY_HEADER; headers];
    let mut parsed = httparse::Request::new(&mut headers);
    parsed.parse(head).map_err(malformed)?;
    let mut request = Request::new(());
    let method = parsed.method.unwrap_or_default();
    *request.method_mut() = Method::from_bytes(method.as_bytes()).map_err(malformed)?;
    *request.uri_mut() = parse_target(parsed.path.unwrap_or_default())?;
    *request.version_mut() = version(parsed.version);
    *request.headers_mut() = copy_headers(parsed.headers)?;
    Ok(request)
}

fn parse_response(head: &[u8], headers: usize) -> Result<Response<()>, HeadError> {
    let mut headers = vec![httparse::EMPTY_HEADER; headers];
    let mut parsed = httparse::Response::new(&mut headers);
    parsed.parse(head).map_err(malformed)?;
    let mut response = Response::new(());
    let status = parsed.code.unwrap_or_default();
    *response.status_mut() = StatusCode::from_u16(status).map_err(malformed)?;
    *response.version_mut() = version(parsed.version);
    *response.headers_mut() = copy_headers(parsed.headers)?;
    Ok(response)
}

/// Copies the parsed headers. A `HeaderMap` holds at most 32,768 headers, but `Limits` may allow more.
fn copy_headers(parsed: &[httparse::Header<'_>]) -> Result<HeaderMap, HeadError> {
    let mut headers = HeaderMap::try_with_capacity(parsed.len()).map_err(malformed)?;
    for header in parsed {
        // RFC6455-4.1-31: `HeaderName` converts all names to lower case.
        let name = HeaderName::from_bytes(header.name.as_bytes()).map_err(malformed)?;
        let value = HeaderValue::from_bytes(header.value).map_err(malformed)?;
        headers.try_append(name, value).map_err(malformed)?;
    }
    Ok(headers)
}

fn version(minor: Option<u8>) -> Version {
    if minor == Some(1) { Version::HTTP_11 } else { Version::HTTP_10 }
}

/// Parses a request target.
///
/// Some clients send characters that RFC 3986 does not allow, for example `/?f={"a":1}`. Other servers accept
/// them. This function percent-encodes these characters, like a browser before it sends them (FS-11).
fn parse_target(target: &str) -> Result<Uri, HeadError> {
    if target.contains('#') {
        // `Uri` removes the fragment, so the parsed target would differ from the target that was sent.
        return Err(malformed("a request target has no fragment"));
    }
    Uri::try_from(target).or_else(|_| {
        let mut encoded = String::with_capacity(target.len());
        for character in target.chars() {
            match character {
                '"' => encoded.push_str("%22"),
                '<' => encoded.push_str("%3C"),
                '>' => encoded.push_str("%3E"),
                '`' => encoded.push_str("%60"),
                other => encoded.push(other),
            }
        }
        Uri::try_from(encoded).map_err(malformed)
    })
}

/// Returns the error for a first line that is not a request line.
fn bad_request_line(line: &[u8]) -> HeadError {
    let is_http = line.ends_with(b" HTTP/1.1\r\n") || line.ends_with(b" HTTP/1.0\r\n");
    if is_http && str::from_utf8(line).is_err() {
        // FC-08: for example a path in Latin-1.
        return malformed("the request target is not UTF-8; percent-encode it");
    }
    not_http(line)
}

/// RFC 9112 section 5.2: a client replaces the line breaks within a header of a response with spaces (FC-08).
/// A server rejects such requests.
fn unfold(head: &mut [u8]) {
    let Some(status_line) = head.windows(2).position(|pair| pair == b"\r\n") else {
        return;
    };
    // RFC 9112 section 2.2: a line that begins with a space directly after the status line is not a
    // continuation.
    let mut lines_start = status_line + 2;
    if matches!(head[lines_start..], [b' ' | b'\t', ..]) {
        return;
    }
    while let Some(end) = head[lines_start..].windows(2).position(|pair| pair == b"\r\n") {
        let end = lines_start + end;
        if let [b'\r', b'\n', b' ' | b'\t', ..] = head[end..] {
            head[end..end + 2].fill(b' ');
        }
        lines_start = end + 2;
    }
}

fn malformed(error: impl ToString) -> HeadError {
    HeadError::Malformed(error.to_string())
}

/// Returns the error for input that is not HTTP/1.x. It shows the beginning of the input.
fn not_http(input: &[u8]) -> HeadError {
    if let [0x15 | 0x16, 0x03, ..] = input {
        // An alert or a handshake of TLS.
        return HeadError::NotHttp("TLS, which belongs to wss:// addresses".into());
    }
    let beginning = &input[..input.len().min(40)];
    HeadError::NotHttp(format!("`{}`", beginning.escape_ascii()))
}

/// Most heads are shorter.
const USUAL_LEN: usize = 256;

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
