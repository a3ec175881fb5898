//! Connecting over HTTP/2 (RFC 8441).

mod connection;
mod pool;

use std::io;

use bytes::BytesMut;
use fullduplex_proto::Url;
use fullduplex_proto::handshake::Offer;
use http::{HeaderMap, Response};

use crate::client::error::ConnectError;
use crate::client::http2::connection::Handle;
use crate::client::http2::pool::Reached;
use crate::client::opening::{
    Answered, answered, authority, connect_over_http1, finish_http1, handshake_deadline, opened,
    request,
};
use crate::client::options::{ConnectOptions, Http};
use crate::http2::error::io_error;
use crate::http2::heads;
use crate::http2::stream::Http2Stream;
use crate::observer::ConnectStep;
use crate::socket::Socket;
use crate::transport::Transport;

/// How many connections are tried if the server does not process or answer the request.
const ATTEMPTS: usize = 3;

/// Performs one request over HTTP/2, or over HTTP/1.1 with [`Http::Auto`].
pub(super) async fn connect_once(
    url: &Url,
    headers: &HeaderMap,
    options: &ConnectOptions,
) -> Result<(Socket, Response<()>), ConnectError> {
    // Without TLS, the client cannot know whether the server supports HTTP/2.
    if options.http == Http::Auto && !url.is_secure() {
        return connect_over_http1(url, headers, options).await;
    }
    let mut attempt = 1;
    loop {
        let handle = match Box::pin(pool::reach(url, options)).await? {
            Reached::Http2(handle) => handle,
            Reached::Http1(route) if options.http == Http::Auto => {
                let deadline = handshake_deadline(options);
                return finish_http1(route, deadline, url, headers, options).await;
            }
            Reached::Unsupported if options.http == Http::Auto => {
                return connect_over_http1(url, headers, options).await;
            }
            Reached::Http1(_) | Reached::Unsupported => {
                return Err(ConnectError::NoHttp2 { authority: authority(url) });
            }
        };
        let deadline = handshake_deadline(options);
        match deadline.limit(url, open(&handle, url, headers, options)).await? {
            Ok(answered) => return opened(answered, url, deadline.at).await,
            Err(OpenError::Repeatable(_)) if attempt < ATTEMPTS => {
                handle.retire();
                attempt += 1;
            }
            Err(OpenError::Repeatable(error) | OpenError::Failed(error)) => {
                return Err(ConnectError::Http2 { authority: authority(url), error });
            }
            Err(OpenError::Connect(error)) => return Err(*error),
        }
    }
}

/// Why no stream was opened.
enum OpenError {
    /// The request can be repeated: the server has not processed it, or a connection that was in use before has ended.
    Repeatable(io::Error),
    Failed(io::Error),
    Connect(Box<ConnectError>),
}

/// Opens a stream, and performs the opening handshake.
async fn open(
    handle: &Handle,
    url: &Url,
    headers: &HeaderMap,
    options: &ConnectOptions,
) -> Result<Answered<Transport>, OpenError> {
    let failed = |error: ConnectError| OpenError::Connect(Box::new(error));
    let offer = Offer::extended_connect(options.subprotocols.clone());
    let (offer, request) = request(offer, url, headers, options).map_err(failed)?;
    let repeatable = |error| OpenError::Repeatable(io_error(error));
    let mut requests = handle.requests().ready().await.map_err(repeatable)?;
    let sent = requests.send_request(heads::request(request), false);
    let (response, send) = sent.map_err(repeatable)?;
    let id = send.stream_id().as_u32();
    options.observe(ConnectStep::Stream { id, max_streams: handle.max_streams() });
    let response = response.await.map_err(|error| {
        // RFC 9113 sections 6.8 and 8.7: these requests were not processed.
        let is_refused = error.reason() == Some(h2::Reason::REFUSED_STREAM);
        // A connection that was idle can end before this end knows it. Browsers repeat such a request too.
        let is_stale = error.is_io() && handle.is_reused();
        match is_refused || is_stale || error.is_go_away() && error.is_remote() {
            true => repeatable(error),
            false => OpenError::Failed(io_error(error)),
        }
    })?;
    let (head, recv) = response.into_parts();
    let response = Response::from_parts(head, ());
    let stream = Transport::other(Http2Stream::new(recv, send, handle.lease()));
    answered(&offer, response, stream, BytesMut::new(), url, options).map_err(failed)
}
