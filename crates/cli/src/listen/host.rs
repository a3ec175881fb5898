use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use fullduplex_hub::Subscription;
use fullduplex_net::proto::handshake::{Endpoint, OriginPolicy, Rejection};
use fullduplex_net::{HandlerResult, Request, Socket};
use http::StatusCode;
use http::header::ORIGIN;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::sync::Notify;

use super::room::Room;
use super::screen::Screen;
use super::shared_room::SharedRoom;
use crate::exit::Failure;
use crate::output::cut;

/// What the server does with messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// Prints messages, and sends lines of stdin to all clients.
    Pipe,
    /// Sends each message back to its sender.
    Echo,
    /// Sends each message to all other clients.
    Broadcast,
}

/// How many clients are accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ClientLimit {
    None,
    /// The first client, and no other.
    One,
}

/// The state that all clients share.
#[derive(Debug)]
pub(super) struct Host {
    pub(super) mode: Mode,
    pub(super) limit: ClientLimit,
    pub(super) endpoint: Endpoint,
    /// The policies for origins. A page may connect if one policy allows its origin.
    pub(super) origins: Vec<OriginPolicy>,
    pub(super) screen: Screen,
    pub(super) room: Room,
    /// The connection with the rooms of other servers.
    pub(super) shared: Option<SharedRoom>,
    /// The number of clients accepted so far.
    pub(super) clients: AtomicU64,
    /// How the connection of the only client ended.
    pub(super) end: OnceLock<Result<(), String>>,
    pub(super) gone: Notify,
}

/// The maximum length of a printed Origin.
const ORIGIN_WIDTH: usize = 100;

impl Host {
    /// Serves a client from its request to the end of its connection.
    pub(super) async fn serve(&self, request: Request) -> HandlerResult {
        if let Err(rejection) = self.check_origin(&request) {
            return Ok(request.reject(rejection).await?);
        }
        let client = self.clients.fetch_add(1, Ordering::Relaxed) + 1;
        if self.limit == ClientLimit::One && client > 1 {
            let reason = "this server accepts one client only, and has already served it";
            let rejection = Rejection::new(StatusCode::SERVICE_UNAVAILABLE, reason);
            return Ok(request.reject(rejection).await?);
        }
        let outcome = self.open(client, request).await;
        let end = outcome.as_ref().copied().map_err(|error| format!("the client: {error}"));
        self.end.set(end).ok();
        self.gone.notify_one();
        outcome
    }

    async fn open(&self, client: u64, request: Request) -> HandlerResult {
        let (peer, target) = (request.peer_addr(), request.uri().to_string());
        let mut socket = request.accept().await?;
        self.screen.opened(client, peer, &target, &socket).await;
        let outcome = self.talk(client, &mut socket).await;
        self.screen.closed(client, socket.close_result().as_ref()).await;
        outcome
    }

    async fn talk(&self, client: u64, socket: &mut Socket) -> HandlerResult {
        let _membership = match self.mode {
            Mode::Echo => None,
            Mode::Pipe | Mode::Broadcast => Some(self.room.join(client, socket.sender())),
        };
        while let Some(message) = socket.recv().await? {
            self.screen.message(client, &message).await;
            match self.mode {
                Mode::Pipe => {}
                Mode::Echo => socket.send(message).await?,
                Mode::Broadcast => {
                    self.room.send(message.clone(), Some(client)).await;
                    if let Some(shared) = &self.shared {
                        shared.publish(message, &self.screen.output).await;
                    }
                }
            }
        }
        Ok(())
    }

    /// Sends the lines of stdin to all clients until stdin ends. Before each line, waits until there is
    /// a client.
    pub(super) async fn read_lines(&self) -> Result<(), Failure> {
        let mut lines = BufReader::new(tokio::io::stdin()).lines();
        let unreadable = |error| format!("could not read stdin as text: {error}");
        while let Some(line) = lines.next_line().await.map_err(unreadable)? {
            self.room.until_occupied().await;
            self.room.send(line.into(), None).await;
        }
        Ok(())
    }

    /// Sends the messages from clients of other servers to all clients.
    pub(super) async fn relay(&self, subscription: Subscription) {
        if let Some(shared) = &self.shared {
            shared.relay(subscription, &self.room, &self.screen.output).await;
        }
    }

    /// With `--once`, waits until the connection of the client has ended, and returns its result.
    /// Otherwise waits forever.
    pub(super) async fn until_gone(&self) -> Result<(), Failure> {
        match self.limit {
            ClientLimit::None => std::future::pending().await,
            ClientLimit::One => self.gone.notified().await,
        }
        self.end.get().cloned().unwrap_or(Ok(())).map_err(Failure::from)
    }

    /// Checks the origin of a page. Browsers do not show why a page was rejected, so the server
    /// prints which option allows it.
    fn check_origin(&self, request: &Request) -> Result<(), Rejection> {
        let mut verdict = Ok(());
        for origins in &self.origins {
            verdict = origins.check(request.http_request(), self.endpoint);
            if verdict.is_ok() {
                break;
            }
        }
        if verdict.is_err() {
            let origin = request.headers().get(ORIGIN).map(|value| value.as_bytes());
            let origin = cut(&String::from_utf8_lossy(origin.unwrap_or_default()), ORIGIN_WIDTH);
            self.screen.output.note(format!(
                "fdx: rejected a web page of {origin}; --origin {origin} lets its pages connect"
            ));
        }
        verdict
    }
}
