//! One connection that is tapped, from its request to its end.

use std::time::Duration;

use bytes::BytesMut;
use fullduplex_net::proto::handshake::head::encode_response;
use fullduplex_net::proto::handshake::{Refusal, agreed_deflate};
use fullduplex_net::proto::{Observer, Role, Url};
use fullduplex_net::{ConnectOptions, Transport, connect_transport};
use http::{Response, StatusCode};
use tokio::io::{AsyncWriteExt, split};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::happening::Happening;
use super::head::{NoHead, read_request, read_response, rewrite};
use super::lane::{Broken, Lane, Passed};
use super::screen::Connection;

/// Where connections lead, and how much is kept of what passes.
#[derive(Debug)]
pub(super) struct Wire {
    pub(super) url: Url,
    pub(super) options: ConnectOptions,
    /// How many bytes of a frame's content are shown.
    pub(super) keep: usize,
}

/// What the server has answered.
enum Answer {
    /// The connection is open.
    Open(Response<()>),
    /// All that follows is HTTP's affair, or nobody's.
    Otherwise,
}

impl Wire {
    /// Passes everything on between a client and the server, and shows it. Returns how much it was.
    pub(super) async fn tap(
        &self,
        mut client: TcpStream,
        connection: &Connection<'_>,
    ) -> (Passed, Passed) {
        let passed = match self.open(&mut client, connection).await {
            Ok((server, answer, inputs)) => {
                let observers = self.observers(&answer);
                self.relay(client, server, observers, &inputs, connection).await
            }
            Err(reason) => {
                if let Some(reason) = reason {
                    connection.tell(&Happening::Failed(reason));
                }
                return Default::default();
            }
        };
        connection.tell(&Happening::Over(passed.0, passed.1));
        passed
    }

    /// Passes the opening handshake on, and returns what was read behind it, of the client and of the
    /// server; or why nothing can be passed on, unless that is shown already.
    async fn open(
        &self,
        client: &mut TcpStream,
        connection: &Connection<'_>,
    ) -> Result<(Transport, Answer, [BytesMut; 2]), Option<String>> {
        let limit = self.options.handshake_timeout;
        let mut from_client = BytesMut::new();
        let request = within(limit, read_request(client, &mut from_client)).await;
        let request = match request {
            Ok(request) => request,
            Err(Some(NoHead::Malformed(error))) => {
                refuse(client, &error.refusal()).await;
                return Err(Some(format!("the client's request cannot be passed on: {error}")));
            }
            // Browsers open connections that they may need later.
            Err(Some(NoHead::Nothing)) => return Err(None),
            Err(Some(error)) => return Err(Some(format!("the client sent no request: {error}"))),
            Err(None) if from_client.is_empty() => return Err(None),
            Err(None) => return Err(Some(format!("the client sent no request within {limit:?}"))),
        };
        connection.tell(&Happening::Request(connection.peer, &request.content));
        let connected = connect_transport(&self.url, &self.options).await;
        let mut server = match connected {
            Ok(server) => server,
            Err(error) => {
                refuse(client, &Refusal::new(StatusCode::BAD_GATEWAY, error.to_string())).await;
                return Err(Some(format!("no connection with the server: {error}")));
            }
        };
        let written = write(&mut server, &rewrite(&request, &self.url, &self.options)).await;
        written.map_err(|error| Some(format!("the server did not take the request: {error}")))?;
        let mut from_server = BytesMut::new();
        let answer = self.answer(client, &mut server, &mut from_server, connection).await?;
        Ok((server, answer, [from_client, from_server]))
    }

    /// Passes on what the server answers, interim responses included.
    async fn answer(
        &self,
        client: &mut TcpStream,
        server: &mut Transport,
        input: &mut BytesMut,
        connection: &Connection<'_>,
    ) -> Result<Answer, Option<String>> {
        loop {
            let limit = self.options.handshake_timeout;
            let response = match within(limit, read_response(server, input)).await {
                Ok(response) => response,
                Err(Some(error @ NoHead::Malformed(_))) => {
                    // It passes on as it is, and the client may judge.
                    connection.tell(&Happening::Failed(format!("the server's answer: {error}")));
                    return Ok(Answer::Otherwise);
                }
                Err(Some(error)) => {
                    write(client, input).await.ok();
                    return Err(Some(format!("the server did not answer: {error}")));
                }
                Err(None) => {
                    let reason = format!("the server did not answer within {limit:?}");
                    let refusal = Refusal::new(StatusCode::GATEWAY_TIMEOUT, reason.clone());
                    refuse(client, &refusal).await;
                    return Err(Some(reason));
                }
            };
            connection.tell(&Happening::Response(&response.content));
            let written = write(client, &response.bytes).await;
            written.map_err(|error| Some(format!("the client has gone: {error}")))?;
            let status = response.content.status();
            if status == StatusCode::SWITCHING_PROTOCOLS {
                return Ok(Answer::Open(response.content));
            }
            if !status.is_informational() {
                return Ok(Answer::Otherwise);
            }
        }
    }

    /// What reads the frames of the client and of the server.
    fn observers(&self, answer: &Answer) -> [Option<Observer>; 2] {
        let Answer::Open(response) = answer else { return [None, None] };
        let agreed = agreed_deflate(response.headers());
        [Role::Client, Role::Server].map(|sender| {
            let observer = Observer::new(sender, self.keep);
            Some(match agreed {
                Some(agreed) => observer.with_deflate(agreed),
                None => observer,
            })
        })
    }

    async fn relay(
        &self,
        client: TcpStream,
        server: Transport,
        [of_client, of_server]: [Option<Observer>; 2],
        [from_client, from_server]: &[BytesMut; 2],
        connection: &Connection<'_>,
    ) -> (Passed, Passed) {
        let lane =
            |sender, observer| Lane { sender, observer, connection, passed: Passed::default() };
        let mut up = lane(Role::Client, of_client);
        let mut down = lane(Role::Server, of_server);
        let (client_reads, client_writes) = split(client);
        let (server_reads, server_writes) = split(server);
        let mut client_halves = (client_reads, client_writes);
        let passed = tokio::try_join!(
            up.pass(from_client, &mut client_halves.0, server_writes),
            down.pass(from_server, server_reads, &mut client_halves.1),
        );
        if let Err(Broken { end, error }) = passed {
            connection.tell(&Happening::Broken(end, &error));
            // What broke for one end breaks for the other.
            let client = client_halves.0.unsplit(client_halves.1);
            client.set_zero_linger().ok();
        }
        (up.passed, down.passed)
    }
}

/// `None` if it takes too long.
async fn within<T>(
    limit: Duration,
    head: impl Future<Output = Result<T, NoHead>>,
) -> Result<T, Option<NoHead>> {
    match timeout(limit, head).await {
        Ok(read) => read.map_err(Some),
        Err(_) => Err(None),
    }
}

async fn write(
    stream: &mut (impl tokio::io::AsyncWrite + Unpin),
    bytes: &[u8],
) -> std::io::Result<()> {
    stream.write_all(bytes).await?;
    stream.flush().await
}

/// Answers a client instead of the server, which cannot.
async fn refuse(client: &mut TcpStream, refusal: &Refusal) {
    let response = refusal.to_response();
    let mut bytes = Vec::new();
    encode_response(&response, &mut bytes);
    bytes.extend_from_slice(response.body().as_bytes());
    // It is the client's loss if it does not listen.
    write(client, &bytes).await.ok();
    client.shutdown().await.ok();
}
