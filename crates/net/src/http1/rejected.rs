use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, LOCATION, TRANSFER_ENCODING};
use http::{HeaderMap, Response, StatusCode, Version};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::time::{Instant, timeout_at};

use crate::time;

/// How many bytes of the body are kept.
const BODY_BYTES: usize = 8 << 10;

/// Time limit for reading the body, within the deadline of the handshake.
const BODY_TIMEOUT: Duration = Duration::from_secs(2);

/// How many characters of the body the error message quotes.
const QUOTED_CHARACTERS: usize = 200;

/// An HTTP response with a status other than 101 (or 200 to 299 over HTTP/2): the server did not open the connection.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Rejected {
    /// Host and port of the server, or the proxy's URL.
    pub authority: String,
    /// The version of HTTP.
    pub version: Version,
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The beginning of the body: up to 8 KiB, as much as arrived within two seconds.
    pub body: Bytes,
}

impl Rejected {
    /// Reads the body that follows a response's head, until the deadline at the latest. The body is for
    /// information only, so a failure to read it is not an error.
    pub(crate) async fn read(
        authority: String,
        response: Response<()>,
        stream: &mut (impl AsyncRead + Unpin),
        mut input: BytesMut,
        deadline: Instant,
    ) -> Self {
        let (head, ()) = response.into_parts();
        let framing = Framing::of(head.status, &head.headers);
        let reading = async {
            while !framing.is_whole(&input) && input.len() < BODY_BYTES {
                if !matches!(stream.read_buf(&mut input).await, Ok(1..)) {
                    break;
                }
            }
        };
        timeout_at(deadline.min(time::after(BODY_TIMEOUT)), reading).await.ok();
        let mut body = framing.body(input.freeze());
        body.truncate(BODY_BYTES);
        let (version, status) = (head.version, head.status);
        Self { authority, version, status, headers: head.headers, body }
    }

    /// Returns the first line of the body, unless that is HTML.
    pub(crate) fn excerpt(&self) -> Option<String> {
        let content_type = self.headers.get(CONTENT_TYPE).map(|value| value.as_bytes());
        if content_type.is_some_and(|value| value.starts_with(b"text/html")) {
            return None;
        }
        let text = String::from_utf8_lossy(&self.body);
        let line = text.trim_start().lines().next()?.trim_end();
        let quoted: String = line.chars().take(QUOTED_CHARACTERS).collect();
        (!quoted.is_empty()).then(|| quoted.escape_debug().to_string())
    }
}

impl std::fmt::Display for Rejected {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { authority, status, .. } = self;
        let expected = match self.version {
            Version::HTTP_2 | Version::HTTP_3 => "200 OK",
            _ => "101 Switching Protocols",
        };
        write!(f, "{authority} answered {status} instead of {expected}")?;
        if let Some(location) = self.headers.get(LOCATION) {
            write!(f, "; it redirects to {location:?}, which is not followed")?;
        }
        match self.excerpt() {
            Some(excerpt) => write!(f, ": {excerpt}"),
            None => Ok(()),
        }
    }
}

/// How the end of a body is determined (RFC 9112 section 6.3).
enum Framing {
    Length(usize),
    Chunked,
    UntilTheEnd,
}

impl Framing {
    fn of(status: StatusCode, headers: &HeaderMap) -> Self {
        let length =
            headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
        match length {
            _ if matches!(status.as_u16(), 100..=199 | 204 | 304) => Self::Length(0),
            _ if headers.contains_key(TRANSFER_ENCODING) => Self::Chunked,
            Some(length) => Self::Length(length),
            None => Self::UntilTheEnd,
        }
    }

    fn is_whole(&self, input: &[u8]) -> bool {
        match self {
            Self::Length(length) => input.len() >= *length,
            Self::Chunked => input.ends_with(b"0\r\n\r\n"),
            Self::UntilTheEnd => false,
        }
    }

    fn body(&self, mut input: Bytes) -> Bytes {
        match self {
            Self::Length(length) => input.truncate(*length),
            Self::UntilTheEnd => {}
            Self::Chunked => return unchunked(input),
        }
        input
    }
}

/// Returns the data of the chunks up to the first malformed one.
fn unchunked(mut input: Bytes) -> Bytes {
    let mut data = BytesMut::new();
    while let Ok(httparse::Status::Complete((start, size))) = httparse::parse_chunk_size(&input) {
        input.advance(start);
        let size = usize::try_from(size).unwrap_or(usize::MAX).min(input.len());
        data.extend_from_slice(&input.split_to(size));
        input.advance(input.len().min("\r\n".len()));
        if size == 0 {
            break;
        }
    }
    data.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn complete_and_partial_chunks_are_joined() {
        for (input, data) in [
            (&b"3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n"[..], &b"abcde"[..]),
            (b"3\r\nab", b"ab"),
            (b"ffffffffffffffff\r\nab", b"ab"),
            (b"nonsense", b""),
            (b"", b""),
        ] {
            assert_eq!(unchunked(Bytes::from_static(input)), data);
        }
    }
}
