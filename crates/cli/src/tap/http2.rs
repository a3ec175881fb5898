//! A tapped connection over HTTP/2.
//!
//! The tap is a server of HTTP/2 for the client, and a client of HTTP/2 for the server. Each client has a
//! connection of its own to the server, and each of its streams is one stream there. The bytes of a stream pass
//! unchanged, and so do END_STREAM and RST_STREAM. The settings that matter to a WebSocket are repeated.

use std::error::Error;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use fullduplex_net::proto::Role;
use fullduplex_net::proto::handshake::{ConnectProtocol, Endpoint, Rejection};
use fullduplex_net::{Http, Transport, connect_transport};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use h2::client::{ResponseFuture, SendRequest};
use h2::server::SendResponse;
use h2::{Ping, Reason, RecvStream, SendStream};
use http::header::{CONNECTION, HOST};
use http::{HeaderValue, Request, Response, StatusCode, Uri};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, join};
use tokio::net::TcpStream;
use tokio::task::yield_now;
use tokio::time::timeout;

use super::event::{TapEvent, Totals};
use super::forwarder::Forwarder;
use super::head::{rewrite_http2, sender_of};
use super::screen::Connection;
use super::wire::Wire;

/// The first bytes of a client (RFC 9113 section 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// The window of a stream: how many bytes the tap takes before the other end does.
const STREAM_WINDOW: u32 = 64 << 10;

/// The window of a connection, which one stream that is not read must not use up.
const CONNECTION_WINDOW: u32 = (1 << 31) - 1;

/// How many bytes of a stream are queued.
const SEND_BUFFER: usize = 64 << 10;

/// How long the connection to the server may take to end after that of the client.
const GRACE: Duration = Duration::from_secs(1);

/// Reads until the client's version of HTTP is clear. Returns whether it is HTTP/2. The bytes stay in `input`.
pub(super) async fn is_http2(
    client: &mut TcpStream,
    input: &mut BytesMut,
    limit: Duration,
) -> io::Result<bool> {
    let reading = async {
        while input.len() < PREFACE.len() && PREFACE.starts_with(input) {
            if client.read_buf(input).await? == 0 {
                break;
            }
        }
        io::Result::Ok(())
    };
    match timeout(limit, reading).await {
        Ok(read) => read?,
        Err(_) => return Ok(false),
    }
    Ok(input.starts_with(PREFACE))
}

/// Why a stream ended early: what to show, and what to send to the other end.
#[derive(Debug)]
struct Reset {
    /// The end whose stream failed.
    end: Role,
    reason: Reason,
    error: String,
}

impl Reset {
    fn new(end: Role, error: &h2::Error) -> Self {
        match error.reason() {
            Some(reason) if error.is_reset() => Self::by_peer(end, reason),
            reason => {
                let reason = reason.filter(|reason| *reason != Reason::NO_ERROR);
                Self { end, reason: reason.unwrap_or(Reason::CANCEL), error: error.to_string() }
            }
        }
    }

    fn by_peer(end: Role, reason: Reason) -> Self {
        Self { end, reason, error: format!("RST_STREAM {reason:?}") }
    }

    fn late(end: Role, reset: Result<Reason, h2::Error>) -> Self {
        match reset {
            Ok(reason) => Self::by_peer(end, reason),
            Err(error) => Self::new(end, &error),
        }
    }
}

/// The connection to the server.
struct Server {
    connection: h2::client::Connection<Transport>,
    requests: SendRequest<Bytes>,
    /// Whether GOAWAY was received.
    is_leaving: bool,
}

/// What happened on the connection to the server.
struct ServerEvent {
    goaway: Option<Reason>,
    ended: Option<Result<(), h2::Error>>,
}

impl Server {
    /// Does the I/O, until GOAWAY or the end.
    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<ServerEvent> {
        let ended = Pin::new(&mut self.connection).poll(cx);
        let mut goaway = None;
        if !self.is_leaving
            && let Poll::Ready(Err(error)) = self.requests.poll_ready(cx)
            && error.is_go_away()
            && error.is_remote()
        {
            self.is_leaving = true;
            goaway = error.reason();
        }
        match ended {
            Poll::Pending if goaway.is_none() => Poll::Pending,
            Poll::Pending => Poll::Ready(ServerEvent { goaway, ended: None }),
            Poll::Ready(ended) => Poll::Ready(ServerEvent { goaway, ended: Some(ended) }),
        }
    }
}

type Client = h2::server::Connection<Box<dyn Stream>, Bytes>;

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

impl Wire {
    /// Forwards and shows the streams of a client, which has sent `input`. Returns the totals.
    pub(super) async fn tap_http2(
        &self,
        client: TcpStream,
        input: BytesMut,
        connection: &Connection<'_>,
    ) -> (Totals, Totals) {
        let opening = timeout(self.options.handshake_timeout, self.open_http2(client, input));
        let totals = match opening.await {
            Ok(Ok((client, server))) => self.relay_streams(client, server, connection).await,
            Ok(Err(reason)) => {
                connection.report(TapEvent::Failed(reason)).await;
                return Default::default();
            }
            Err(_) => {
                let reason = "could not open the HTTP/2 connections in time".to_owned();
                connection.report(TapEvent::Failed(reason)).await;
                return Default::default();
            }
        };
        connection.report(TapEvent::Over(totals.0, totals.1)).await;
        totals
    }

    /// Connects to the server, and then answers the client, because the settings depend on those of the server.
    async fn open_http2(
        &self,
        client: TcpStream,
        input: BytesMut,
    ) -> Result<(Client, Server), String> {
        let options = self.options.clone().http(Http::Two);
        let server = connect_transport(&self.url, &options)
            .await
            .map_err(|error| format!("could not connect to the server: {error}"))?;
        let failed = |error| format!("could not open an HTTP/2 connection to the server: {error}");
        let server = Server::open(server, self.options.limits.head_bytes).await.map_err(failed)?;
        let (reads, writes) = client.into_split();
        let client: Box<dyn Stream> = Box::new(join(io::Cursor::new(input).chain(reads), writes));
        let mut builder = h2::server::Builder::new();
        builder
            .initial_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_header_list_size(header_list_size(self.options.limits.head_bytes))
            .max_send_buffer_size(SEND_BUFFER);
        if let Ok(streams) = server.requests.current_max_send_streams().try_into() {
            builder.max_concurrent_streams(streams);
        }
        if server.requests.is_extended_connect_protocol_enabled() {
            builder.enable_connect_protocol();
        }
        let failed = |error| format!("could not open the HTTP/2 connection of the client: {error}");
        Ok((builder.handshake(client).await.map_err(failed)?, server))
    }

    async fn relay_streams(
        &self,
        mut client: Client,
        mut server: Server,
        connection: &Connection<'_>,
    ) -> (Totals, Totals) {
        let mut streams = FuturesUnordered::new();
        let mut sums = (Totals::default(), Totals::default());
        let (mut is_client_open, mut is_server_open) = (true, true);
        while is_client_open || !streams.is_empty() {
            tokio::select! {
                accepted = client.accept(), if is_client_open => match accepted {
                    Some(Ok((request, respond))) => {
                        let requests = server.requests.clone();
                        streams.push(self.tap_stream(request, respond, requests, connection));
                    }
                    Some(Err(error)) => {
                        is_client_open = false;
                        connection.report(TapEvent::Broken(Role::Client, error.to_string())).await;
                    }
                    None => is_client_open = false,
                },
                event = poll_fn(|cx| server.poll_event(cx)), if is_server_open => {
                    if let Some(reason) = event.goaway {
                        let reason = format!("{reason:?}");
                        connection.report(TapEvent::GoAway(Role::Server, reason)).await;
                    }
                    if let Some(ended) = event.ended {
                        is_server_open = false;
                        if let Err(error) = ended {
                            let error = error.to_string();
                            connection.report(TapEvent::Broken(Role::Server, error)).await;
                        }
                    }
                    client.graceful_shutdown();
                }
                Some((up, down)) = streams.next() => {
                    sums.0.add(up);
                    sums.1.add(down);
                }
            }
        }
        drop(streams);
        let Server { connection, requests, .. } = server;
        // Without requests, the connection ends with GOAWAY.
        drop(requests);
        if is_server_open {
            timeout(GRACE, connection).await.ok();
        }
        sums
    }

    /// Forwards and shows one stream. Returns the totals.
    async fn tap_stream(
        &self,
        request: Request<RecvStream>,
        mut respond: SendResponse<Bytes>,
        requests: SendRequest<Bytes>,
        connection: &Connection<'_>,
    ) -> (Totals, Totals) {
        let connection = &connection.stream(respond.stream_id().as_u32());
        let (mut request, mut body) = take_apart(request);
        let endpoint = Endpoint { address: Some(self.address.ip()), is_tls: false };
        let checked = self.hosts.check(&request, endpoint);
        // The checks of the sender expect the authority here.
        let authority = request.uri().authority().map(|authority| authority.as_str());
        if let Some(Ok(host)) = authority.map(HeaderValue::from_str) {
            request.headers_mut().insert(HOST, host);
        }
        connection.report(TapEvent::Request(connection.peer, shown(&request))).await;
        let is_websocket = request.extensions().get() == Some(&ConnectProtocol::WEBSOCKET);
        let sent = match checked {
            Ok(()) => self.send_http2(request, body.is_end_stream(), requests).await,
            Err(rejection) => {
                Err((rejection.to_response().body().trim_end().to_owned(), rejection))
            }
        };
        let (response, mut to_server) = match sent {
            Ok(sent) => sent,
            Err((reason, rejection)) => {
                reject(&mut respond, &rejection);
                connection.report(TapEvent::Failed(reason)).await;
                return Default::default();
            }
        };
        let mut up = Forwarder::new(Role::Client, None, connection);
        let mut down = Forwarder::new(Role::Server, None, connection);
        let ended = Ended::default();
        let mut to_client = None;
        let result = async {
            let answering = answer(response, &mut respond, &mut to_client, connection);
            if is_websocket {
                // No byte is a frame before the response, which says whether frames are compressed.
                let (head, mut from_server, to_client) = answering.await?;
                if head.status().is_success() {
                    up.observer = Some(self.observer(Role::Client, head.headers()));
                    down.observer = Some(self.observer(Role::Server, head.headers()));
                }
                let up = pump(&mut up, &mut body, &mut to_server, &ended);
                tokio::try_join!(up, pump(&mut down, &mut from_server, to_client, &ended))
            } else {
                let answered = async {
                    let (_, mut from_server, to_client) = answering.await?;
                    pump(&mut down, &mut from_server, to_client, &ended).await
                };
                tokio::try_join!(pump(&mut up, &mut body, &mut to_server, &ended), answered)
            }
        }
        .await;
        if let Err(Reset { end, reason, error }) = result {
            // The end that has reset its stream ignores this.
            to_server.send_reset(reason);
            match &mut to_client {
                Some(to_client) => to_client.send_reset(reason),
                None => respond.send_reset(reason),
            }
            connection.report(TapEvent::Broken(end, error)).await;
        }
        connection.report(TapEvent::Over(up.totals, down.totals)).await;
        (up.totals, down.totals)
    }

    /// Sends the changed request. An error is a description and the response for the client.
    async fn send_http2(
        &self,
        mut request: Request<()>,
        is_end: bool,
        requests: SendRequest<Bytes>,
    ) -> Result<(ResponseFuture, SendStream<Bytes>), (String, Rejection)> {
        let failed = |error: &dyn Error| {
            let reason = format!("could not send the request: {error}");
            (reason.clone(), Rejection::new(StatusCode::BAD_GATEWAY, reason))
        };
        let sender = sender_of(request.headers(), self.address.port());
        rewrite_http2(&mut request, sender, &self.url, &self.options).map_err(|e| failed(&e))?;
        let mut requests = requests.ready().await.map_err(|error| failed(&error))?;
        requests.send_request(request, is_end).map_err(|error| failed(&error))
    }
}

impl Server {
    /// Waits for the settings of the server.
    async fn open(transport: Transport, head_bytes: usize) -> Result<Self, h2::Error> {
        let mut builder = h2::client::Builder::new();
        builder
            .enable_push(false)
            .initial_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_header_list_size(header_list_size(head_bytes))
            .max_send_buffer_size(SEND_BUFFER);
        let (requests, mut connection) = builder.handshake(transport).await?;
        let mut pings = connection.ping_pong().expect("it is taken once");
        // A server sends its settings before anything else, so they have arrived when it answers.
        tokio::select! {
            pong = pings.ping(Ping::opaque()) => pong.map(drop)?,
            ended = &mut connection => ended?,
        }
        Ok(Self { connection, requests, is_leaving: false })
    }
}

/// Which ends have sent END_STREAM.
#[derive(Debug, Default)]
struct Ended {
    client: AtomicBool,
    server: AtomicBool,
}

impl Ended {
    fn of(&self, end: Role) -> &AtomicBool {
        match end {
            Role::Client => &self.client,
            Role::Server => &self.server,
        }
    }
}

/// Forwards the response, and puts the client's half of the stream into `to_client`.
async fn answer<'a>(
    response: ResponseFuture,
    respond: &mut SendResponse<Bytes>,
    to_client: &'a mut Option<SendStream<Bytes>>,
    connection: &Connection<'_>,
) -> Result<(Response<()>, RecvStream, &'a mut SendStream<Bytes>), Reset> {
    let response = tokio::select! {
        response = response => response.map_err(|error| Reset::new(Role::Server, &error))?,
        reset = poll_fn(|cx| respond.poll_reset(cx)) => return Err(Reset::late(Role::Client, reset)),
    };
    let (parts, from_server) = response.into_parts();
    let head = Response::from_parts(parts, ());
    connection.report(TapEvent::Response(head.clone())).await;
    let sent = respond.send_response(head.clone(), from_server.is_end_stream());
    let stream = sent.map_err(|error| Reset::new(Role::Client, &error))?;
    Ok((head, from_server, to_client.insert(stream)))
}

/// Forwards and shows the bytes of one direction, and its end. Reads only as fast as it can write and show the data.
async fn pump(
    forwarder: &mut Forwarder<'_>,
    from: &mut RecvStream,
    to: &mut SendStream<Bytes>,
    ended: &Ended,
) -> Result<(), Reset> {
    let (sender, receiver) = (forwarder.sender, forwarder.sender.peer());
    loop {
        let data = tokio::select! {
            biased;
            data = from.data() => data,
            reset = poll_fn(|cx| poll_reset(to, ended.of(receiver), cx)) => {
                return Err(Reset::late(receiver, reset));
            }
        };
        let Some(data) = data else { break };
        let bytes = data.map_err(|error| Reset::new(sender, &error))?;
        let count = bytes.len();
        forwarder.show(&bytes).await;
        if send(to, bytes).await.is_err() {
            let reset = poll_fn(|cx| poll_reset(to, ended.of(receiver), cx)).await;
            return Err(Reset::late(receiver, reset));
        }
        // It can only fail for a stream that has ended.
        from.flow_control().release_capacity(count).ok();
    }
    ended.of(sender).store(true, Ordering::SeqCst);
    // The other direction checks the flag again.
    yield_now().await;
    forwarder.end().await;
    // Sending fails if the receiver has reset its stream.
    match from.trailers().await {
        Ok(Some(trailers)) => to.send_trailers(trailers).ok(),
        _ if from.is_end_stream() => to.send_data(Bytes::new(), true).ok(),
        _ => None,
    };
    Ok(())
}

/// Waits until the receiver has reset its stream, and has ended its own direction. Before that, the other
/// direction forwards everything that was received before the reset.
fn poll_reset(
    to: &mut SendStream<Bytes>,
    has_ended: &AtomicBool,
    cx: &mut Context<'_>,
) -> Poll<Result<Reason, h2::Error>> {
    match to.poll_reset(cx) {
        Poll::Ready(reset) if has_ended.load(Ordering::SeqCst) => Poll::Ready(reset),
        _ => Poll::Pending,
    }
}

/// Sends bytes as the windows allow. Fails if the receiver has reset its stream.
async fn send(to: &mut SendStream<Bytes>, mut bytes: Bytes) -> Result<(), ()> {
    while !bytes.is_empty() {
        to.reserve_capacity(bytes.len());
        let mut room = to.capacity();
        if room == 0 {
            room = poll_fn(|cx| to.poll_capacity(cx)).await.ok_or(())?.map_err(drop)?;
        }
        to.send_data(bytes.split_to(room.min(bytes.len())), false).map_err(drop)?;
    }
    Ok(())
}

/// Separates the head from the body, and converts it as [`fullduplex_net::proto`] expects it.
fn take_apart(request: Request<RecvStream>) -> (Request<()>, RecvStream) {
    let (mut head, body) = request.into_parts();
    if let Some(protocol) = head.extensions.get::<h2::ext::Protocol>() {
        let protocol = ConnectProtocol::new(protocol.as_str().to_owned());
        head.extensions.insert(protocol);
    }
    (Request::from_parts(head, ()), body)
}

/// Returns the request as it is shown: with its path only. Its authority is in `Host`.
fn shown(request: &Request<()>) -> Request<()> {
    let mut shown = request.clone();
    let target = request.uri().path_and_query().cloned();
    *shown.uri_mut() = target.map(Uri::from).unwrap_or_default();
    shown
}

/// Answers a client in place of the server.
fn reject(respond: &mut SendResponse<Bytes>, rejection: &Rejection) {
    let (mut head, body) = rejection.to_response().into_parts();
    head.headers.remove(CONNECTION);
    // This fails if the client has reset the stream.
    if let Ok(mut stream) = respond.send_response(Response::from_parts(head, ()), false) {
        stream.send_data(body.into(), true).ok();
    }
}

fn header_list_size(bytes: usize) -> u32 {
    bytes.try_into().unwrap_or(u32::MAX)
}
