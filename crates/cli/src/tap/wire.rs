//! One connection that is tapped, from its request to its end.

use std::io;

use bytes::BytesMut;
use fullduplex_net::proto::handshake::head::encode_response;
use fullduplex_net::proto::handshake::{Rejection, agreed_deflate};
use fullduplex_net::proto::{Observer, Role, Url};
use fullduplex_net::{ConnectOptions, Transport, connect_transport};
use http::{Response, StatusCode};
use tokio::io::{AsyncWrite, AsyncWriteExt, split};
use tokio::net::TcpStream;

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

/// Why there is nothing to pass on between the ends.
enum Unopened {
    /// The client asked for nothing: browsers open connections that they may need later.
    Unasked,
    For(String),
}

/// A server that has answered, and what was read behind the request and behind the response.
struct Opened {
    server: Transport,
    answer: Answer,
    from_client: BytesMut,
    from_server: BytesMut,
}

impl Wire {
    /// Passes everything on between a client and the server, and shows it. Returns how much it was.
    pub(super) async fn tap(
        &self,
        mut client: TcpStream,
        connection: &Connection<'_>,
    ) -> (Passed, Passed) {
        match self.open(&mut client, connection).await {
            Ok(opened) => {
                let passed = self.relay(client, opened, connection).await;
                connection.tell(&Happening::Over(passed.0, passed.1));
                return passed;
            }
            Err(Unopened::For(reason)) => connection.tell(&Happening::Failed(reason)),
            Err(Unopened::Unasked) => {}
        }
        Default::default()
    }

    /// Passes the opening handshake on.
    async fn open(
        &self,
        client: &mut TcpStream,
        connection: &Connection<'_>,
    ) -> Result<Opened, Unopened> {
        let mut from_client = BytesMut::new();
        let limit = self.options.handshake_timeout;
        let request = match read_request(client, &mut from_client, limit).await {
            Ok(request) => request,
            Err(NoHead::Nothing) => return Err(Unopened::Unasked),
            Err(error) => {
                if let NoHead::Malformed(error) = &error {
                    reject(client, &error.rejection()).await;
                }
                return Err(Unopened::For(format!("the client's request: {error}")));
            }
        };
        connection.tell(&Happening::Request(connection.peer, &request.content));
        let mut server = match connect_transport(&self.url, &self.options).await {
            Ok(server) => server,
            Err(error) => {
                reject(client, &Rejection::new(StatusCode::BAD_GATEWAY, error.to_string())).await;
                return Err(Unopened::For(format!("no connection with the server: {error}")));
            }
        };
        write(&mut server, &rewrite(&request, &self.url, &self.options))
            .await
            .map_err(|error| Unopened::For(format!("the server takes no request: {error}")))?;
        let mut from_server = BytesMut::new();
        let answer = self.answer(client, &mut server, &mut from_server, connection).await?;
        Ok(Opened { server, answer, from_client, from_server })
    }

    /// Passes on what the server answers, interim responses included.
    async fn answer(
        &self,
        client: &mut TcpStream,
        server: &mut Transport,
        input: &mut BytesMut,
        connection: &Connection<'_>,
    ) -> Result<Answer, Unopened> {
        loop {
            let limit = self.options.handshake_timeout;
            let response = match read_response(server, input, limit).await {
                Ok(response) => response,
                Err(NoHead::Malformed(error)) => {
                    // It passes on as it is, and the client may judge.
                    connection.tell(&Happening::Failed(format!("the server's answer: {error}")));
                    return Ok(Answer::Otherwise);
                }
                Err(error) => {
                    let reason = format!("the server has not answered: {error}");
                    reject(client, &Rejection::new(StatusCode::BAD_GATEWAY, &*reason)).await;
                    return Err(Unopened::For(reason));
                }
            };
            connection.tell(&Happening::Response(&response.content));
            write(client, &response.bytes)
                .await
                .map_err(|error| Unopened::For(format!("the client has gone: {error}")))?;
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
        opened: Opened,
        connection: &Connection<'_>,
    ) -> (Passed, Passed) {
        let Opened { server, answer, from_client, from_server } = opened;
        let [of_client, of_server] = self.observers(&answer);
        let lane = |sender, observer| Lane::new(sender, observer, connection);
        let mut up = lane(Role::Client, of_client);
        let mut down = lane(Role::Server, of_server);
        let (mut client_reads, mut client_writes) = split(client);
        let (server_reads, server_writes) = split(server);
        let passed = tokio::try_join!(
            up.pass(&from_client, &mut client_reads, server_writes),
            down.pass(&from_server, server_reads, &mut client_writes),
        );
        if let Err(Broken { end, error }) = passed {
            connection.tell(&Happening::Broken(end, &error));
            // What broke for one end breaks for the other.
            client_reads.unsplit(client_writes).set_zero_linger().ok();
        }
        (up.passed, down.passed)
    }
}

async fn write(stream: &mut (impl AsyncWrite + Unpin), bytes: &[u8]) -> io::Result<()> {
    stream.write_all(bytes).await?;
    stream.flush().await
}

/// Answers a client instead of the server, which cannot.
async fn reject(client: &mut TcpStream, rejection: &Rejection) {
    let response = rejection.to_response();
    let mut bytes = Vec::new();
    encode_response(&response, &mut bytes);
    bytes.extend_from_slice(response.body().as_bytes());
    // It is the client's loss if it does not listen.
    write(client, &bytes).await.ok();
    client.shutdown().await.ok();
}
