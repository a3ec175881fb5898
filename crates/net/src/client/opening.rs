//! The opening handshake of a client, from the route to the answer.

use bytes::BytesMut;
use fullduplex_proto::handshake::{Answer, AnswerError, Offer, head};
use fullduplex_proto::{Connection, Url};
use http::header::{COOKIE, SET_COOKIE};
use http::{HeaderMap, HeaderValue, Request, Response};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;

use crate::client::error::{ConnectError, ConnectPhase};
use crate::client::options::ConnectOptions;
use crate::client::route::{Route, find_route};
use crate::client::timeout::Deadline;
use crate::http1::host_and_port;
use crate::http1::read::{read_final_response, write_all};
use crate::http1::rejected::Rejected;
use crate::observer::ConnectStep;
use crate::random;
use crate::socket::Socket;
use crate::tls::Tls;
use crate::transport::Transport;

/// Performs one request over HTTP/1.1.
pub(super) async fn connect_over_http1(
    url: &Url,
    headers: &HeaderMap,
    options: &ConnectOptions,
) -> Result<(Socket, Response<()>), ConnectError> {
    let Route { mut stream, permit } = Box::pin(find_route(url, options)).await?;
    let deadline = handshake_deadline(options);
    if url.is_secure() {
        let securing = deadline.limit(url, secure(stream, url, options, None));
        (stream, _) = Box::pin(securing).await??;
    }
    finish_http1(Route { stream, permit }, deadline, url, headers, options).await
}

/// Performs one request over a stream, which is encrypted for `wss`.
pub(super) async fn finish_http1(
    Route { stream, permit }: Route,
    deadline: Deadline,
    url: &Url,
    headers: &HeaderMap,
    options: &ConnectOptions,
) -> Result<(Socket, Response<()>), ConnectError> {
    let handshake = deadline.limit(url, shake_hands(stream, url, headers, options));
    // The permit ends here. The body of a rejection is read later, because it is not part of the handshake.
    let answered = Box::pin(handshake).await?;
    if let Some(permit) = permit {
        permit.release_answered();
    }
    opened(answered?, url, deadline.at).await
}

/// The server's response to the opening request.
pub(super) enum Answered<S: AsyncRead + AsyncWrite + Unpin> {
    Open(Socket<S>, Response<()>),
    /// A response that opens no WebSocket (RFC6455-4.1-24). Its body is not read yet.
    Rejected {
        response: Response<()>,
        stream: S,
        input: BytesMut,
    },
}

pub(super) async fn opened<S: AsyncRead + AsyncWrite + Unpin>(
    answered: Answered<S>,
    url: &Url,
    deadline: Instant,
) -> Result<(Socket<S>, Response<()>), ConnectError> {
    match answered {
        Answered::Open(socket, response) => Ok((socket, response)),
        Answered::Rejected { response, mut stream, input } => {
            let rejected =
                Rejected::read(authority(url), response, &mut stream, input, deadline).await;
            Err(ConnectError::Rejected(Box::new(rejected)))
        }
    }
}

/// Performs the TLS handshake for the host's name, before anything else is sent (RFC6455-4.1-9,
/// RFC6455-4.1-10). Offers the protocol `preferred` of ALPN before HTTP/1.1, and returns whether the server has
/// chosen it.
pub(super) async fn secure(
    stream: Transport,
    url: &Url,
    options: &ConnectOptions,
    preferred: Option<&[u8]>,
) -> Result<(Transport, bool), ConnectError> {
    let tls = match &options.tls {
        Some(tls) => tls.clone(),
        None => Tls::shared_platform()?,
    };
    let secured = stream.over_tls(&tls, url.host(), options.observer.as_ref(), preferred).await;
    secured.map_err(|error| ConnectError::Tls { authority: authority(url), error })
}

/// Performs the opening handshake over an open stream (RFC6455-4.1-11).
pub(super) async fn shake_hands<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: S,
    url: &Url,
    headers: &HeaderMap,
    options: &ConnectOptions,
) -> Result<Answered<S>, ConnectError> {
    let opening = |error| ConnectError::Opening { authority: authority(url), error };
    let offer = Offer::new(random::nonce(), options.subprotocols.clone());
    let (offer, request) = request(offer, url, headers, options)?;
    let mut bytes = Vec::new();
    head::encode_request(&request, &mut bytes);
    write_all(&mut stream, &bytes).await.map_err(opening)?;

    let mut input = BytesMut::new();
    let response = read_final_response(&mut stream, &mut input, options.limits).await;
    let response = response.map_err(opening)?;
    answered(&offer, response, stream, input, url, options)
}

/// Returns the opening request, and completes its offer.
pub(super) fn request(
    mut offer: Offer,
    url: &Url,
    headers: &HeaderMap,
    options: &ConnectOptions,
) -> Result<(Offer, Request<()>), ConnectError> {
    if let Some(deflate) = options.deflate {
        offer = offer.with_deflate(deflate);
    }
    let mut request = offer.to_request(url, headers)?;
    if let Some(cookies) = &options.cookies
        && !headers.contains_key(COOKIE)
        && let Some(value) = cookies.cookies(url)
    {
        request.headers_mut().insert(COOKIE, value);
    }
    options.observe(ConnectStep::Request(&request));
    Ok((offer, request))
}

/// Reads the server's answer to an offer.
pub(super) fn answered<S: AsyncRead + AsyncWrite + Unpin>(
    offer: &Offer,
    response: Response<()>,
    stream: S,
    input: BytesMut,
    url: &Url,
    options: &ConnectOptions,
) -> Result<Answered<S>, ConnectError> {
    options.observe(ConnectStep::Response(&response));
    if let Some(cookies) = &options.cookies
        && response.headers().contains_key(SET_COOKIE)
    {
        let values: Vec<HeaderValue> =
            response.headers().get_all(SET_COOKIE).iter().cloned().collect();
        cookies.set_cookies(url, &values);
    }
    match Answer::from_response(offer, &response) {
        Ok(answer) => {
            let masks = Box::new(random::mask_keys());
            let connection = Connection::client(options.limits, options.timeouts.close, masks)
                .with_timeouts(options.timeouts);
            let socket = Socket::new(stream, connection, input, answer, None);
            Ok(Answered::Open(socket, response))
        }
        Err(AnswerError::Status(_)) => Ok(Answered::Rejected { response, stream, input }),
        Err(error) => Err(ConnectError::Answer { authority: authority(url), error }),
    }
}

pub(super) fn handshake_deadline(options: &ConnectOptions) -> Deadline {
    Deadline::starting_now(ConnectPhase::Handshake, options.handshake_timeout)
}

/// Returns the host and port of a URL, as errors show it.
pub(super) fn authority(url: &Url) -> String {
    host_and_port(url.host(), url.port())
}
