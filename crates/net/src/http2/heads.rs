//! Conversion of requests and responses between `h2` and [`proto`](fullduplex_proto::handshake).

use fullduplex_proto::handshake::ConnectProtocol;
use http::header::{CONNECTION, COOKIE, HeaderValue, TRANSFER_ENCODING, UPGRADE};
use http::{HeaderMap, Request, Response, Version};

/// Converts a request that `h2` has received.
pub(crate) fn received<B>(mut request: Request<B>) -> Request<B> {
    if let Some(protocol) = request.extensions_mut().remove::<h2::ext::Protocol>() {
        let protocol = ConnectProtocol::new(protocol.as_str().to_owned());
        request.extensions_mut().insert(protocol);
    }
    join_cookies(request.headers_mut());
    request
}

/// Converts an opening request, so that `h2` can send it.
pub(crate) fn request(mut request: Request<()>) -> Request<()> {
    if request.extensions_mut().remove::<ConnectProtocol>().is_some() {
        request.extensions_mut().insert(h2::ext::Protocol::from_static("websocket"));
    }
    request
}

/// Converts a response, so that `h2` can send it. HTTP/2 has no headers about the connection (RFC 9113
/// section 8.2.2).
pub(crate) fn response(mut response: Response<()>) -> Response<()> {
    *response.version_mut() = Version::HTTP_2;
    for name in [CONNECTION, TRANSFER_ENCODING, UPGRADE] {
        response.headers_mut().remove(name);
    }
    response
}

/// Joins the `Cookie` headers. Browsers split them in HTTP/2, and applications expect one (RFC 9113 section
/// 8.2.3).
fn join_cookies(headers: &mut HeaderMap) {
    let cookies: Vec<_> = headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes).collect();
    if cookies.len() > 1 {
        let joined = HeaderValue::from_bytes(&cookies.join(&b"; "[..]));
        let mut joined = joined.expect("the parts are header values");
        joined.set_sensitive(true);
        headers.insert(COOKIE, joined);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cookies_are_joined() {
        let mut request = Request::new(());
        for value in ["a=b", "c=d", "e=f"] {
            request.headers_mut().append(COOKIE, HeaderValue::from_static(value));
        }
        let cookies =
            received(request).headers().get_all(COOKIE).iter().cloned().collect::<Vec<_>>();
        assert_eq!(cookies, ["a=b; c=d; e=f"]);
    }
}
