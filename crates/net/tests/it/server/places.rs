//! FS-01: a connection's slot is free as soon as the connection has ended, even if its handler is waiting for
//! something else.

use std::future::pending;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::extract::{ConnectInfo, State};
use axum::response::Response;
use axum::routing::{Router, any};
use fullduplex_lab::script::{CLOSE, FIN, Peer, SAMPLE_REQUEST, TEXT, guarded, masked_frame};
use fullduplex_lab::served::Served;
use fullduplex_net::proto::{CloseCode, CloseFrame};
use fullduplex_net::{
    AcceptOptions, Connections, HandlerResult, Request, Sender, ServerOptions, Socket,
    UpgradeRejection, WebSocketUpgrade, accept,
};
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{broadcast, mpsc, oneshot};

const CLOSE_NORMAL: [u8; 2] = [0x03, 0xE8];

fn three_places() -> ServerOptions {
    ServerOptions::default().connections_per_address(3)
}

/// Sends every news item, and never receives.
async fn push(mut socket: Socket, mut news: broadcast::Receiver<String>) -> HandlerResult {
    while let Ok(item) = news.recv().await {
        socket.send(item).await?;
    }
    Ok(())
}

/// Opens a connection and closes it. Returns when TCP has ended.
async fn come_and_go(address: SocketAddr) {
    let mut client = Peer::connect(address).await;
    client.open(SAMPLE_REQUEST).await;
    client.send(masked_frame(FIN | CLOSE, CLOSE_NORMAL)).await;
    assert_eq!(client.read_payload(FIN | CLOSE).await, CLOSE_NORMAL);
    client.await_end().await;
}

/// Sends an opening request. Returns the status of the response.
async fn ask(address: SocketAddr) -> String {
    let mut client = Peer::connect(address).await;
    client.send(SAMPLE_REQUEST).await;
    guarded("the answer", client.read_head()).await[9..12].to_owned()
}

// FS-01
#[tokio::test]
async fn a_push_only_handler_does_not_keep_the_slot_of_a_client_that_left() {
    let (news, _) = broadcast::channel::<String>(1);
    let served = Served::by(three_places(), {
        let news = news.clone();
        move |request: Request| {
            let news = news.subscribe();
            async move { push(request.accept().await?, news).await }
        }
    })
    .await;
    for _ in 0..3 {
        come_and_go(served.address()).await;
    }
    assert_eq!(ask(served.address()).await, "101");
    assert_eq!(served.connections().counts().refused, [].into());
    assert_eq!(served.connections().counts().closed, [(1000, 3)].into());
    assert_eq!(news.receiver_count(), 4, "the handlers run until their next send");
}

async fn open(
    State((_, news)): State<(Connections, broadcast::Sender<String>)>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    upgrade: WebSocketUpgrade,
) -> Result<Response, UpgradeRejection> {
    let news = news.subscribe();
    Ok(upgrade.with_address(peer.ip())?.on_upgrade(|socket| push(socket, news)))
}

#[derive(Clone)]
struct AppState(Connections, broadcast::Sender<String>);

impl axum::extract::FromRef<AppState> for Connections {
    fn from_ref(state: &AppState) -> Self {
        state.0.clone()
    }
}

impl axum::extract::FromRef<AppState> for (Connections, broadcast::Sender<String>) {
    fn from_ref(state: &AppState) -> Self {
        (state.0.clone(), state.1.clone())
    }
}

// FS-01
#[tokio::test]
async fn a_push_only_handler_of_axum_does_not_keep_the_slot_of_a_client_that_left() {
    let (news, _) = broadcast::channel::<String>(1);
    let connections = Connections::new(three_places());
    let router = Router::new()
        .route("/chat", any(open))
        .with_state(AppState(connections, news))
        .into_make_service_with_connect_info::<SocketAddr>();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    for _ in 0..3 {
        come_and_go(address).await;
    }
    assert_eq!(ask(address).await, "101");
}

// FS-01: `Sender::close` ends the connection while the handler waits for something else.
#[tokio::test]
async fn closing_through_a_sender_frees_the_slot() {
    let (tell, mut senders) = mpsc::unbounded_channel::<Sender>();
    let served = Served::by(three_places(), move |request: Request| {
        let tell = tell.clone();
        async move {
            let mut socket = request.accept().await?;
            tell.send(socket.sender())?;
            pending::<()>().await;
            drop(socket);
            Ok(())
        }
    })
    .await;
    for _ in 0..3 {
        let mut client = served.client().await;
        let sender = guarded("the sender", senders.recv()).await.unwrap();
        sender.close(Some(CloseFrame::code(CloseCode::NORMAL)));
        assert_eq!(client.read_payload(FIN | CLOSE).await, CLOSE_NORMAL);
        client.send(masked_frame(FIN | CLOSE, CLOSE_NORMAL)).await;
        client.await_end().await;
        guarded("the end of the connection", sender.closed()).await;
    }
    assert_eq!(ask(served.address()).await, "101");
}

// FS-01: `Socket::drive` closes the descriptor of its stream too.
#[tokio::test]
async fn a_driven_socket_closes_its_stream_while_its_handler_waits() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (stream, _) = listener.accept().await.unwrap();
    let mut peer = Peer::over(&mut client);
    peer.send(SAMPLE_REQUEST).await;
    let socket = accept(stream, &AcceptOptions::default()).await.unwrap();
    let driving = tokio::spawn(socket.drive(|socket| async move {
        pending::<()>().await;
        drop(socket);
    }));
    peer.read_head().await;
    peer.send(masked_frame(FIN | CLOSE, CLOSE_NORMAL)).await;
    // If the stream were only shut down, the client could keep writing.
    let mut rest = Vec::new();
    guarded("the end of TCP", client.read_to_end(&mut rest)).await.unwrap();
    let writing = async {
        use tokio::io::AsyncWriteExt;
        while client.write_all(b"x").await.is_ok() {
            tokio::task::yield_now().await;
        }
    };
    guarded("the reset", writing).await;
    assert!(!driving.is_finished());
    driving.abort();
}

/// Increments a counter when it is dropped.
struct OnDrop(Arc<AtomicUsize>);

impl Drop for OnDrop {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

// FS-01: handlers that wait for something else do not accumulate.
#[tokio::test]
async fn a_handler_that_never_sees_the_end_is_dropped_after_the_grace_period() {
    let dropped = Arc::new(AtomicUsize::new(0));
    let options = ServerOptions::default().handler_grace(Duration::from_millis(100));
    let served = Served::by(options, {
        let dropped = Arc::clone(&dropped);
        move |request: Request| {
            let on_drop = OnDrop(Arc::clone(&dropped));
            async move {
                let _on_drop = on_drop;
                let _socket = request.accept().await?;
                pending::<()>().await;
                Ok(())
            }
        }
    })
    .await;
    come_and_go(served.address()).await;
    served.until(|counts| counts.handlers_dropped == 1).await;
    guarded("the drop", async {
        while dropped.load(Ordering::SeqCst) == 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!(served.shutdown(Duration::from_secs(5)).await.cut, 0);
}

// FS-01: a handler that has seen the end may take longer than the grace period.
#[tokio::test]
async fn a_handler_that_has_seen_the_end_is_never_cut_off() {
    let (tell, told) = oneshot::channel();
    let (clean, cleaning) = oneshot::channel::<()>();
    let cells = Arc::new(std::sync::Mutex::new(Some((tell, cleaning))));
    let options = ServerOptions::default().handler_grace(Duration::ZERO);
    let served = Served::by(options, move |request: Request| {
        let cells = cells.lock().unwrap().take();
        async move {
            let mut socket = request.accept().await?;
            let Some((tell, cleaning)) = cells else {
                pending::<()>().await;
                return Ok(());
            };
            assert_eq!(socket.recv().await?, None);
            cleaning.await?;
            tell.send(()).unwrap();
            Ok(())
        }
    })
    .await;
    come_and_go(served.address()).await;
    // The other handler has not seen the end and is dropped, so the grace period has passed for
    // both.
    come_and_go(served.address()).await;
    served.until(|counts| counts.handlers_dropped == 1).await;
    clean.send(()).unwrap();
    guarded("the clean-up", told).await.unwrap();
    assert_eq!(served.connections().counts().open, 0);
    assert_eq!(served.shutdown(Duration::from_secs(5)).await.cut, 0);
}

/// `closed` of a socket and of its senders returns at the end, even if messages are still unread.
#[tokio::test]
async fn the_end_can_be_awaited() {
    let (tell, mut told) = mpsc::unbounded_channel();
    let served = Served::by(ServerOptions::default(), move |request: Request| {
        let tell = tell.clone();
        async move {
            let mut socket = request.accept().await?;
            let sender = socket.sender();
            tokio::spawn({
                let tell = tell.clone();
                async move {
                    sender.closed().await;
                    tell.send("sender").unwrap();
                }
            });
            assert_eq!(socket.close_result(), None);
            let closed = socket.closed().await;
            assert_eq!((closed.code(), closed.was_clean()), (1000, true));
            assert_eq!(socket.close_result(), Some(closed));
            tell.send("socket")?;
            Ok(())
        }
    })
    .await;
    let mut client = served.client().await;
    for _ in 0..100 {
        client.send(masked_frame(FIN | TEXT, "unread")).await;
    }
    client.send(masked_frame(FIN | CLOSE, CLOSE_NORMAL)).await;
    let mut ends = [guarded("an end", told.recv()).await, guarded("an end", told.recv()).await];
    ends.sort_unstable();
    assert_eq!(ends, [Some("sender"), Some("socket")]);
}

// FS-01: a client that sent unread messages and then left does not occupy a slot.
#[tokio::test]
async fn unread_messages_do_not_keep_a_slot_occupied() {
    let served = Served::by(three_places(), |request: Request| async move {
        let socket = request.accept().await?;
        pending::<()>().await;
        drop(socket);
        Ok(())
    })
    .await;
    for end in ["a Close", "a FIN", "a batch and a FIN"] {
        let mut client = served.client().await;
        client.send(masked_frame(FIN | TEXT, "subscribe")).await;
        match end {
            "a Close" => client.send(masked_frame(FIN | CLOSE, CLOSE_NORMAL)).await,
            "a FIN" => {}
            _ => client.send(masked_frame(FIN | TEXT, "more").repeat(100)).await,
        }
        drop(client);
    }
    // The handler has 5 s to return.
    served.until_open(0).await;
    assert_eq!(ask(served.address()).await, "101");
}

/// Messages that arrived early are received in order, and the Close after them.
#[tokio::test]
async fn messages_before_a_close_are_received_in_order_by_a_late_handler() {
    let (go, gone) = oneshot::channel::<()>();
    let cell = Arc::new(std::sync::Mutex::new(Some(gone)));
    let (tell, mut told) = mpsc::unbounded_channel();
    let served = Served::by(ServerOptions::default(), move |request: Request| {
        let gone = cell.lock().unwrap().take();
        let tell = tell.clone();
        async move {
            let mut socket = request.accept().await?;
            gone.unwrap().await?;
            while let Some(message) = socket.recv().await? {
                tell.send(message)?;
            }
            Ok(())
        }
    })
    .await;
    let mut client = served.client().await;
    for number in 0..100 {
        client.send(masked_frame(FIN | TEXT, number.to_string())).await;
    }
    client.send(masked_frame(FIN | CLOSE, CLOSE_NORMAL)).await;
    served.until_open(0).await;
    go.send(()).unwrap();
    for number in 0..100 {
        let message = guarded("a message", told.recv()).await;
        assert_eq!(message, Some(number.to_string().into()));
    }
    assert!(told.try_recv().is_err());
}
