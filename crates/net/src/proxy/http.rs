//! The method CONNECT (RFC 9110 section 9.3.6).

use bytes::BytesMut;
use fullduplex_proto::{Credentials, Limits};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;

use super::error::ProxyError;
use crate::http1::host_and_port;
use crate::http1::read::{read_final_response, write_all};
use crate::http1::rejected::Rejected;

/// Requests a tunnel over `stream`.
pub(super) async fn open(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    proxy: &str,
    (host, port): (&str, u16),
    credentials: Option<&Credentials>,
    limits: Limits,
    deadline: Instant,
) -> Result<(), ProxyError> {
    write_all(stream, &request(host, port, credentials)).await?;
    let mut input = BytesMut::new();
    let response = read_final_response(stream, &mut input, limits).await?;
    if !response.status().is_success() {
        let rejected = Rejected::read(proxy.to_owned(), response, stream, input, deadline).await;
        return Err(ProxyError::Rejected(Box::new(rejected)));
    }
    // The tunnel begins after the head of a successful response, even if headers announce a body. The server
    // must not send first.
    if input.is_empty() { Ok(()) } else { Err(ProxyError::EarlyBytes) }
}

fn request(host: &str, port: u16, credentials: Option<&Credentials>) -> Vec<u8> {
    let authority = host_and_port(host, port);
    let mut request = format!("CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n").into_bytes();
    if let Some(credentials) = credentials {
        request.extend_from_slice(b"Proxy-Authorization: ");
        request.extend_from_slice(credentials.to_basic().as_bytes());
        request.extend_from_slice(b"\r\n");
    }
    request.extend_from_slice(b"\r\n");
    request
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests() {
        assert_eq!(request("a", 443, None), b"CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n");
        let credentials = Credentials::new("Aladdin", "open sesame");
        let with_user = "CONNECT [::1]:80 HTTP/1.1\r\nHost: [::1]:80\r\n\
            Proxy-Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n\r\n";
        assert_eq!(request("::1", 80, Some(&credentials)), with_user.as_bytes());
    }
}
