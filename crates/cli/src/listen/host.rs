use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use fullduplex_net::proto::handshake::{OriginPolicy, Rejection};
use fullduplex_net::{HandlerResult, Request, Socket};
use http::StatusCode;
use http::header::ORIGIN;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::sync::Notify;

use super::room::Room;
use super::screen::Screen;
use crate::exit::Failure;

/// What becomes of messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// They are printed; lines of stdin go to all clients.
    Pipe,
    Echo,
    /// They go to all other clients.
    Broadcast,
}

/// How many clients are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Guests {
    Any,
    /// The first one, and no other.
    One,
}

/// What all clients have in common.
#[derive(Debug)]
pub(super) struct Host {
    pub(super) mode: Mode,
    pub(super) guests: Guests,
    /// Those whose pages may connect: the origins of any of these.
    pub(super) origins: Vec<OriginPolicy>,
    pub(super) screen: Screen,
    room: Room,
    /// How many clients were taken.
    clients: AtomicU64,
    /// How it went with the only client, once it has gone.
    end: OnceLock<Result<(), String>>,
    gone: Notify,
}

impl Host {
    pub(super) fn new(
        mode: Mode,
        guests: Guests,
        origins: Vec<OriginPolicy>,
        screen: Screen,
    ) -> Self {
        let (room, clients) = (Room::default(), AtomicU64::new(0));
        let (end, gone) = (OnceLock::new(), Notify::new());
        Self { mode, guests, origins, screen, room, clients, end, gone }
    }

    /// Attends to a client, from its request to its end.
    pub(super) async fn attend(&self, request: Request) -> HandlerResult {
        if let Err(rejection) = self.check_origin(&request) {
            return Ok(request.reject(rejection).await?);
        }
        let client = self.clients.fetch_add(1, Ordering::Relaxed) + 1;
        if self.guests == Guests::One && client > 1 {
            let reason = "this server takes one client only, which is or was here";
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
        self.screen.opened(client, peer, &target, &socket);
        let outcome = self.talk(client, &mut socket).await;
        self.screen.closed(client, socket.close_result().as_ref());
        outcome
    }

    async fn talk(&self, client: u64, socket: &mut Socket) -> HandlerResult {
        let _place = match self.mode {
            Mode::Echo => None,
            Mode::Pipe | Mode::Broadcast => Some(self.room.join(client, socket.sender())),
        };
        while let Some(message) = socket.recv().await? {
            self.screen.message(client, &message);
            match self.mode {
                Mode::Pipe => {}
                Mode::Echo => socket.send(message).await?,
                Mode::Broadcast => self.room.send(message, Some(client)).await,
            }
        }
        Ok(())
    }

    /// Sends the lines of stdin to all clients, to its end. Each waits until somebody is there.
    pub(super) async fn read_lines(&self) -> Result<(), Failure> {
        let mut lines = BufReader::new(tokio::io::stdin()).lines();
        let unreadable = |error| format!("stdin cannot be read as text: {error}");
        while let Some(line) = lines.next_line().await.map_err(unreadable)? {
            self.room.until_occupied().await;
            self.room.send(line.into(), None).await;
        }
        Ok(())
    }

    /// Waits until the only client has gone, if there is to be only one, and returns how it went.
    pub(super) async fn until_gone(&self) -> Result<(), Failure> {
        match self.guests {
            Guests::Any => std::future::pending().await,
            Guests::One => self.gone.notified().await,
        }
        self.end.get().cloned().unwrap_or(Ok(())).map_err(Failure::from)
    }

    /// Lets no page of others in, and says how to change that: a browser does not show its user why.
    fn check_origin(&self, request: &Request) -> Result<(), Rejection> {
        let mut verdict = Ok(());
        for origins in &self.origins {
            verdict = origins.check(request.headers());
            if verdict.is_ok() {
                break;
            }
        }
        if verdict.is_err() {
            let origin = request.headers().get(ORIGIN).map(|value| value.as_bytes());
            let origin = origin.unwrap_or_default().escape_ascii();
            anstream::eprintln!(
                "fdx: a web page of {origin} was refused; --origin {origin} would let it in"
            );
        }
        verdict
    }
}
