//! One tapped connection, from its request to its end.
//!
//! A connection of HTTP/1.1 carries one request, which is checked and rewritten. If the server does not switch
//! protocols, nothing else from the client reaches the server except the body of that request.

use std::io;
use std::net::SocketAddr;

use bytes::BytesMut;
use fullduplex_net::proto::handshake::head::encode_response;
use fullduplex_net::proto::handshake::{Endpoint, HostPolicy, Rejection, agreed_deflate};
use fullduplex_net::proto::{Observer, Role, Url};
use fullduplex_net::{ConnectOptions, Transport, connect_transport};
use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{HeaderMap, Request, Response, StatusCode};
use tokio::io::{AsyncReadExt, AsyncWrite, AsyncWriteExt, copy, split};
use tokio::net::TcpStream;

use super::event::{TapEvent, Totals};
use super::forwarder::{Broken, Forwarder};
use super::head::{Head, NoHead, read_request, read_response, rewrite, sender_of};
use super::screen::Connection;

/// The server that connections are forwarded to, and how much of frames is kept.
#[derive(Debug)]
pub(super) struct Wire {
    pub(super) url: Url,
    pub(super) options: ConnectOptions,
    /// The host names under which clients may connect.
    pub(super) hosts: HostPolicy,
    /// The address that clients connect to.
    pub(super) address: SocketAddr,
    /// How many bytes of a frame's content are shown.
    pub(super) keep: usize,
}

/// The server's response.
enum Answer {
    /// The connection is open.
    Open(Response<()>),
    /// A body of this length follows. `None`: it ends with the connection.
    Http(Option<u64>),
}

/// Why the connection was not established.
enum OpenError {
    /// The client sent no request. For example, a browser opens connections before it needs them.
    NoRequest,
    Failed(String),
}

/// A server that has answered, with the bytes read after the request and after the response.
struct Opened {
    server: Transport,
    answer: Answer,
    from_client: BytesMut,
    from_server: BytesMut,
}

impl Wire {
    /// Forwards and shows everything between a client, which has sent `input`, and the server. Returns the totals.
    pub(super) async fn tap(
        &self,
        mut client: TcpStream,
        input: BytesMut,
        connection: &Connection<'_>,
    ) -> (Totals, Totals) {
        match self.open(&mut client, input, connection).await {
            Ok(Opened { server, answer: Answer::Open(response), from_client, from_server }) => {
                let ends = (client, server);
                let totals =
                    self.relay(ends, &response, &from_client, &from_server, connection).await;
                connection.report(TapEvent::Over(totals.0, totals.1)).await;
                return totals;
            }
            Ok(Opened { server, answer: Answer::Http(length), from_server, .. }) => {
                let bytes = self.finish_http((client, server), &from_server, length).await;
                let totals = (Totals::default(), Totals { frames: 0, bytes });
                connection.report(TapEvent::Over(totals.0, totals.1)).await;
                return totals;
            }
            Err(OpenError::Failed(reason)) => connection.report(TapEvent::Failed(reason)).await,
            Err(OpenError::NoRequest) => {}
        }
        Default::default()
    }

    /// Forwards the opening handshake. `from_client` was read before.
    async fn open(
        &self,
        client: &mut TcpStream,
        mut from_client: BytesMut,
        connection: &Connection<'_>,
    ) -> Result<Opened, OpenError> {
        let limit = self.options.handshake_timeout;
        let request = match read_request(client, &mut from_client, self.options.limits, limit).await
        {
            Ok(request) => request,
            Err(NoHead::Nothing) => return Err(OpenError::NoRequest),
            Err(error) => {
                if let NoHead::Malformed(error) = &error {
                    reject(client, &error.rejection()).await;
                }
                return Err(OpenError::Failed(format!(
                    "could not read the client's request: {error}"
                )));
            }
        };
        let endpoint = Endpoint { address: Some(self.address.ip()), is_tls: false };
        let checked = self.hosts.check(&request.content, endpoint);
        let length = checked.and_then(|()| body_length(request.content.headers()));
        let (peer, shown) = (connection.peer, request.content.clone());
        connection.report(TapEvent::Request(peer, shown)).await;
        let length = match length {
            Ok(length) => length,
            Err(rejection) => {
                reject(client, &rejection).await;
                return Err(OpenError::Failed(
                    rejection.to_response().body().trim_end().to_owned(),
                ));
            }
        };
        let mut server = match connect_transport(&self.url, &self.options).await {
            Ok(server) => server,
            Err(error) => {
                reject(client, &Rejection::new(StatusCode::BAD_GATEWAY, error.to_string())).await;
                return Err(OpenError::Failed(format!("could not connect to the server: {error}")));
            }
        };
        self.send_request(&request, length, client, &mut from_client, &mut server)
            .await
            .map_err(|error| OpenError::Failed(format!("could not send the request: {error}")))?;
        let mut from_server = BytesMut::new();
        let answer = self.answer(client, &mut server, &mut from_server, connection).await?;
        Ok(Opened { server, answer, from_client, from_server })
    }

    /// Sends the rewritten request and its body.
    async fn send_request(
        &self,
        request: &Head<Request<()>>,
        length: u64,
        client: &mut TcpStream,
        from_client: &mut BytesMut,
        server: &mut Transport,
    ) -> io::Result<()> {
        let sender = sender_of(request.content.headers(), self.address.port());
        server.write_all(&rewrite(request, sender, &self.url, &self.options)).await?;
        let at_hand = from_client.len().min(usize::try_from(length).unwrap_or(usize::MAX));
        server.write_all(&from_client.split_to(at_hand)).await?;
        copy(&mut client.take(length - at_hand as u64), server).await?;
        server.flush().await
    }

    /// Forwards the server's responses, including interim ones.
    async fn answer(
        &self,
        client: &mut TcpStream,
        server: &mut Transport,
        input: &mut BytesMut,
        connection: &Connection<'_>,
    ) -> Result<Answer, OpenError> {
        loop {
            let limit = self.options.handshake_timeout;
            let response = match read_response(server, input, self.options.limits, limit).await {
                Ok(response) => response,
                Err(NoHead::Malformed(error)) => {
                    // Forward the response unchanged. The client may be able to read it.
                    let reason = format!("could not read the server's response: {error}");
                    connection.report(TapEvent::Failed(reason)).await;
                    return Ok(Answer::Http(None));
                }
                Err(error) => {
                    let reason = format!("could not read a response from the server: {error}");
                    reject(client, &Rejection::new(StatusCode::BAD_GATEWAY, &*reason)).await;
                    return Err(OpenError::Failed(reason));
                }
            };
            connection.report(TapEvent::Response(response.content.clone())).await;
            write(client, &response.bytes).await.map_err(|error| {
                OpenError::Failed(format!("could not send the response to the client: {error}"))
            })?;
            let status = response.content.status();
            if status == StatusCode::SWITCHING_PROTOCOLS {
                return Ok(Answer::Open(response.content));
            }
            if !status.is_informational() {
                return Ok(Answer::Http(response_length(&response.content)));
            }
        }
    }

    /// Forwards the body of a response, and ends the connection. Ends it earlier if the client sends
    /// more data or disconnects, because a further request would not be rewritten.
    async fn finish_http(
        &self,
        (mut client, server): (TcpStream, Transport),
        at_hand: &[u8],
        length: Option<u64>,
    ) -> u64 {
        let mut passed = 0;
        let (mut reads, mut writes) = client.split();
        let body = async {
            let limit = length.unwrap_or(u64::MAX);
            let at_hand =
                &at_hand[..at_hand.len().min(usize::try_from(limit).unwrap_or(usize::MAX))];
            writes.write_all(at_hand).await.ok()?;
            passed += at_hand.len() as u64;
            passed += copy(&mut server.take(limit - passed), &mut writes).await.ok()?;
            writes.shutdown().await.ok()
        };
        tokio::select! {
            _ = body => {}
            // Any data is a further request.
            _ = async { reads.read(&mut [0]).await } => {}
        }
        passed
    }

    /// Returns what parses the frames of `sender` after a response with these headers.
    pub(super) fn observer(&self, sender: Role, headers: &HeaderMap) -> Observer {
        let observer = Observer::new(sender, self.keep);
        match agreed_deflate(headers) {
            Some(agreed) => observer.with_deflate(agreed),
            None => observer,
        }
    }

    async fn relay(
        &self,
        (client, server): (TcpStream, Transport),
        response: &Response<()>,
        from_client: &[u8],
        from_server: &[u8],
        connection: &Connection<'_>,
    ) -> (Totals, Totals) {
        let forwarder = |sender| {
            Forwarder::new(sender, Some(self.observer(sender, response.headers())), connection)
        };
        let (mut up, mut down) = (forwarder(Role::Client), forwarder(Role::Server));
        let (mut client_reads, mut client_writes) = split(client);
        let (server_reads, server_writes) = split(server);
        let outcome = tokio::try_join!(
            up.run(from_client, &mut client_reads, server_writes),
            down.run(from_server, server_reads, &mut client_writes),
        );
        if let Err(Broken { end, error }) = outcome {
            connection.report(TapEvent::Broken(end, error.to_string())).await;
            // If the stream of the server fails, the stream of the client must fail too.
            client_reads.unsplit(client_writes).set_zero_linger().ok();
        }
        (up.totals, down.totals)
    }
}

/// Returns the length of the body that follows the head of a request.
///
/// # Errors
/// Returns a rejection if the head does not specify the length of the body.
fn body_length(headers: &HeaderMap) -> Result<u64, Rejection> {
    if headers.contains_key(TRANSFER_ENCODING) {
        let reason = "fdx tap forwards a request body only if it has a Content-Length";
        return Err(Rejection::new(StatusCode::LENGTH_REQUIRED, reason));
    }
    match content_length(headers) {
        Ok(length) => Ok(length.unwrap_or(0)),
        Err(()) => Err(Rejection::new(StatusCode::BAD_REQUEST, "the Content-Length is invalid")),
    }
}

/// Returns the length of the body that follows the head of a response. `None`: it ends with the
/// connection.
fn response_length(response: &Response<()>) -> Option<u64> {
    if matches!(response.status(), StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED) {
        return Some(0);
    }
    if response.headers().contains_key(TRANSFER_ENCODING) {
        return None;
    }
    content_length(response.headers()).ok().flatten()
}

fn content_length(headers: &HeaderMap) -> Result<Option<u64>, ()> {
    let mut values = headers.get_all(CONTENT_LENGTH).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return if headers.contains_key(CONTENT_LENGTH) { Err(()) } else { Ok(None) };
    };
    // `parse` would also accept a plus sign.
    let digits = value.to_str().ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
    digits.and_then(|digits| digits.parse().ok()).map(Some).ok_or(())
}

async fn write(stream: &mut (impl AsyncWrite + Unpin), bytes: &[u8]) -> io::Result<()> {
    stream.write_all(bytes).await?;
    stream.flush().await
}

/// Answers a client in place of the server.
async fn reject(client: &mut TcpStream, rejection: &Rejection) {
    let response = rejection.to_response();
    let mut bytes = Vec::new();
    encode_response(&response, &mut bytes);
    bytes.extend_from_slice(response.body().as_bytes());
    // Fails if the client has disconnected.
    write(client, &bytes).await.ok();
    client.shutdown().await.ok();
}
