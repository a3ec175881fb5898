pub(crate) mod connector;
pub(crate) mod cookies;
pub(crate) mod dial;
pub(crate) mod error;
pub(crate) mod headers;
#[cfg(feature = "http2")]
mod http2;
pub(crate) mod into_url;
mod opening;
pub(crate) mod options;
pub(crate) mod permit;
pub(crate) mod redirects;
pub(crate) mod resolve;
pub(crate) mod route;
mod timeout;

use std::borrow::Cow;

use fullduplex_proto::Url;
use http::header::HOST;
use http::{HeaderMap, Response};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::client::error::ConnectError;
use crate::client::headers::is_secret_header;
use crate::client::into_url::IntoUrl;
use crate::client::opening::{
    authority, connect_over_http1, handshake_deadline, opened, secure, shake_hands,
};
use crate::client::options::{ConnectConcurrency, ConnectOptions, Http};
use crate::client::route::{Route, find_route};
use crate::socket::Socket;
use crate::transport::Transport;

/// Opens a connection: resolves the host, connects over TCP or through a proxy, performs the TLS handshake
/// for `wss`, and performs the opening handshake (RFC6455-4.1-1).
///
/// Returns the socket, and the server's response with its headers.
///
/// ```no_run
/// use fullduplex_net::{ConnectOptions, connect};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let (mut socket, response) = connect("wss://example.com/", &ConnectOptions::new()).await?;
/// println!("{:?}", response.headers());
/// socket.send("hello").await?;
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// [`ConnectError`] says which step failed. Everything that was opened is closed.
///
/// # Cancel safety
/// Dropping the future closes everything that it has opened.
pub async fn connect(
    url: impl IntoUrl,
    options: &ConnectOptions,
) -> Result<(Socket, Response<()>), ConnectError> {
    let url = url.into_url()?;
    connect_following(url, options).await
}

/// Connects, following redirects.
async fn connect_following(
    mut url: Url,
    options: &ConnectOptions,
) -> Result<(Socket, Response<()>), ConnectError> {
    let mut headers = Cow::Borrowed(&options.headers);
    let mut followed = 0;
    loop {
        let rejected = match connect_once(&url, &headers, options).await {
            Err(ConnectError::Rejected(rejected)) => rejected,
            other => return other,
        };
        let next = options.redirects.next(&url, &rejected, followed);
        let next =
            next.map_err(|error| ConnectError::Redirect { authority: authority(&url), error })?;
        let Some(next) = next else { return Err(ConnectError::Rejected(rejected)) };
        if next.origin() != url.origin() {
            let secrets: Vec<_> =
                headers.keys().filter(|name| is_secret_header(name)).cloned().collect();
            for name in secrets.into_iter().chain([HOST]) {
                headers.to_mut().remove(name);
            }
        }
        url = next;
        followed += 1;
    }
}

/// Performs one request.
async fn connect_once(
    url: &Url,
    headers: &HeaderMap,
    options: &ConnectOptions,
) -> Result<(Socket, Response<()>), ConnectError> {
    match options.http {
        Http::One => connect_over_http1(url, headers, options).await,
        #[cfg(feature = "http2")]
        Http::Two | Http::Auto => Box::pin(http2::connect_once(url, headers, options)).await,
    }
}

/// Performs the opening handshake over an open stream, such as one in memory or of another TLS library.
///
/// **Nothing is encrypted here**: for a `wss` URL, pass a TLS stream that has verified the server. Options
/// that determine how to reach the server are ignored, and no redirect is followed.
///
/// # Errors
/// [`ConnectError`]; the stream is closed.
///
/// # Cancel safety
/// Dropping the future closes the stream.
pub async fn connect_over<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    url: impl IntoUrl,
    options: &ConnectOptions,
) -> Result<(Socket<S>, Response<()>), ConnectError> {
    let url = &url.into_url()?;
    let deadline = handshake_deadline(options);
    let response = deadline.limit(url, shake_hands(stream, url, &options.headers, options));
    opened(response.await??, url, deadline.at).await
}

/// Connects to the server as [`connect`] does: over TCP, through a proxy if there is one, and with TLS for
/// `wss`. The caller performs the opening handshake. This function is for tools that forward the requests of
/// others.
///
/// [`ConnectOptions::concurrency`] is ignored, and no redirect is followed. With `Http::Two`, the server has to choose
/// HTTP/2 by ALPN for `wss`, and the caller speaks it.
///
/// # Errors
/// [`ConnectError`] says which step failed. Everything that was opened is closed.
///
/// # Cancel safety
/// Dropping the future closes everything that it has opened.
pub async fn connect_transport(
    url: impl IntoUrl,
    options: &ConnectOptions,
) -> Result<Transport, ConnectError> {
    let url = &url.into_url()?;
    let options = options.clone().concurrency(ConnectConcurrency::Unlimited);
    let Route { stream, .. } = Box::pin(find_route(url, &options)).await?;
    if !url.is_secure() {
        return Ok(stream);
    }
    let required = options.http.required_alpn();
    let securing = secure(stream, url, &options, required);
    let (stream, is_chosen) = handshake_deadline(&options).limit(url, securing).await??;
    match required {
        Some(_) if !is_chosen => Err(ConnectError::NoHttp2 { authority: authority(url) }),
        _ => Ok(stream),
    }
}
