//! Servers whose handlers push at long intervals.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use axum::extract::{ConnectInfo, FromRef, State};
use axum::response::Response;
use axum::routing::{Router, any};
use fullduplex_net::{
    AcceptOptions, Connections, HandlerResult, Request, Server, ServerOptions, Socket, Transport,
    UpgradeRejection, WebSocketUpgrade, accept,
};
use tokio::net::TcpListener;
use tokio::sync::broadcast::{self, Receiver, Sender};
use tokio::time::sleep;

/// How long a handler of `Server` and axum may wait after the end of its connection.
pub(crate) const GRACE: Duration = Duration::from_secs(1);

/// The message that the handlers push.
pub(crate) const PUSH: &str = "news";

/// How the connections are served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ServeMode {
    Server,
    Axum,
    /// `Socket::drive`, whose handlers also wait for the end of the connection.
    Drive,
}

impl ServeMode {
    pub(crate) const ALL: [Self; 3] = [Self::Server, Self::Axum, Self::Drive];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Server => "Server",
            Self::Axum => "axum",
            Self::Drive => "Socket::drive",
        }
    }

    pub(crate) fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mode| mode.name() == name)
    }
}

/// Prints the address of the server and runs it until stdin ends.
pub(crate) fn serve(mode: ServeMode, interval: Duration) -> io::Result<()> {
    std::thread::spawn(|| {
        io::copy(&mut io::stdin(), &mut io::sink()).ok();
        std::process::exit(0)
    });
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        println!("{}", listener.local_addr()?);
        let (news, _) = broadcast::channel(1);
        tokio::spawn(push_repeatedly(news.clone(), interval));
        let options = ServerOptions::default().connections_per_address(1).handler_grace(GRACE);
        match mode {
            ServeMode::Server => {
                let server = Server::from_listener(listener, options);
                let handler = move |request: Request| {
                    let news = news.subscribe();
                    async move { push(request.accept().await?, news).await }
                };
                server.serve(handler).await;
                Ok(())
            }
            ServeMode::Axum => {
                let router = Router::new()
                    .route("/", any(open))
                    .with_state(AppState(Connections::new(options), news))
                    .into_make_service_with_connect_info::<SocketAddr>();
                axum::serve(listener, router).await
            }
            ServeMode::Drive => drive(listener, news).await,
        }
    })
}

async fn push_repeatedly(news: Sender<()>, interval: Duration) {
    loop {
        sleep(interval).await;
        news.send(()).ok();
    }
}

/// Never checks the connection.
async fn push(mut socket: Socket, mut news: Receiver<()>) -> HandlerResult {
    while news.recv().await.is_ok() {
        socket.send(PUSH).await?;
    }
    Ok(())
}

/// Ends with the connection, as the documentation of `Socket::closed` shows.
async fn push_until_closed(mut socket: Socket, mut news: Receiver<()>) -> HandlerResult {
    loop {
        tokio::select! {
            item = news.recv() => match item {
                Ok(()) => socket.send(PUSH).await?,
                Err(_) => return Ok(()),
            },
            _ = socket.closed() => return Ok(()),
        }
    }
}

#[derive(Clone)]
struct AppState(Connections, Sender<()>);

impl FromRef<AppState> for Connections {
    fn from_ref(state: &AppState) -> Self {
        state.0.clone()
    }
}

async fn open(
    State(AppState(_, news)): State<AppState>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    upgrade: WebSocketUpgrade,
) -> Result<Response, UpgradeRejection> {
    let news = news.subscribe();
    Ok(upgrade.with_address(peer.ip())?.on_upgrade(|socket| push(socket, news)))
}

async fn drive(listener: TcpListener, news: Sender<()>) -> io::Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        let news = news.subscribe();
        tokio::spawn(async move {
            if let Ok(socket) = accept(Transport::from(stream), &AcceptOptions::default()).await {
                socket.drive(|socket| push_until_closed(socket, news)).await.ok();
            }
        });
    }
}
