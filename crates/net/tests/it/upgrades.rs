//! WebSocket upgrades in hyper, over TCP and over another stream, and in axum.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::extract::{ConnectInfo, State};
use axum::response::Response;
use axum::routing::{Router, any};
use fullduplex_lab::script::{
    CLOSE, FIN, Peer, SAMPLE_REQUEST, TEXT, close_frame, frame, guarded, masked_frame,
};
use fullduplex_net::proto::handshake::{HostPolicy, Rejection, Subprotocol, Subprotocols};
use fullduplex_net::proto::{DeflateConfig, Message, Url};
use fullduplex_net::{
    AcceptOptions, ConnectError, ConnectOptions, Connections, Drained, HandlerResult, Http,
    ServerOptions, Socket, UpgradeRejection, WebSocketUpgrade, connect,
};
use futures_util::future::join_all;
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, duplex};
use tokio::net::{TcpListener, TcpStream};

/// The number of requests for `/other`, which is not a WebSocket.
static OTHER_REQUESTS: AtomicUsize = AtomicUsize::new(0);

/// Echoes each message, and answers `transport?` with the type of the transport.
async fn echo(mut socket: Socket) -> HandlerResult {
    while let Some(message) = socket.recv().await? {
        match &message {
            Message::Text(text) if text == "transport?" => {
                socket.send(format!("{socket:?}")).await?;
            }
            _ => socket.send(message).await?,
        }
    }
    Ok(())
}

async fn serve_hyper(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    connections: Connections,
) {
    let service = service_fn(async |mut request: http::Request<Incoming>| {
        if request.uri().path() == "/other" {
            OTHER_REQUESTS.fetch_add(1, Ordering::SeqCst);
        }
        let response: http::Response<Full<Bytes>> =
            match WebSocketUpgrade::new(&mut request, &connections) {
                Ok(upgrade) => upgrade.on_upgrade(echo),
                Err(rejection) => rejection.to_response().map(Full::from),
            };
        Ok::<_, Infallible>(response)
    });
    let serving = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    serving.with_upgrades().await.ok();
}

async fn start_hyper(connections: &Connections) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let connections = connections.clone();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            tokio::spawn(serve_hyper(stream, connections.clone()));
        }
    });
    address
}

async fn start_axum(connections: &Connections) -> SocketAddr {
    let router = Router::new()
        .route("/", any(async |upgrade: WebSocketUpgrade| -> Response { upgrade.on_upgrade(echo) }))
        .route(
            "/chat",
            any(async |upgrade: WebSocketUpgrade| -> Response { upgrade.on_upgrade(echo) }),
        )
        .route("/counted", any(counted))
        .route("/chosen", any(chosen))
        .route("/refused", any(refused))
        .route("/forgotten", any(async |_: WebSocketUpgrade| "not upgraded"))
        .route("/replaced", any(replaced))
        .route("/other", any(async || OTHER_REQUESTS.fetch_add(1, Ordering::SeqCst).to_string()))
        .with_state(connections.clone())
        .into_make_service_with_connect_info::<SocketAddr>();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

async fn counted(
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    State(_): State<Connections>,
    upgrade: WebSocketUpgrade,
) -> Result<Response, UpgradeRejection> {
    Ok(upgrade.with_address(peer.ip())?.on_upgrade(echo))
}

async fn chosen(upgrade: WebSocketUpgrade) -> Response {
    let last = upgrade.subprotocols().iter().last().unwrap().clone();
    let upgrade = upgrade.with_subprotocol(last).unwrap();
    let name = http::HeaderName::from_static("x-served-by");
    let upgrade = upgrade.with_header(name, http::HeaderValue::from_static("axum")).unwrap();
    upgrade.on_upgrade(echo)
}

async fn refused(upgrade: WebSocketUpgrade) -> Response {
    upgrade.reject(&Rejection::new(http::StatusCode::UNAUTHORIZED, "log in first"))
}

async fn replaced(upgrade: WebSocketUpgrade) -> &'static str {
    let _: Response = upgrade.on_upgrade(echo);
    "another answer"
}

/// Starts a hyper and an axum server, which share `connections`.
async fn start_both(connections: &Connections) -> [SocketAddr; 2] {
    [start_hyper(connections).await, start_axum(connections).await]
}

async fn open(address: SocketAddr, path: &str) -> Result<Socket, ConnectError> {
    let url = Url::parse(&format!("ws://{address}{path}")).unwrap();
    Ok(connect(&url, &ConnectOptions::default()).await?.0)
}

/// Returns the status with which the request is rejected.
async fn status(address: SocketAddr, path: &str) -> u16 {
    match open(address, path).await {
        Err(ConnectError::Rejected(refused)) => refused.status.as_u16(),
        opened => panic!("{opened:?} instead of a rejection"),
    }
}

async fn until_none_is_open(connections: &Connections) {
    guarded("the end of all connections", async {
        while connections.counts().open > 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await;
}

#[tokio::test]
async fn messages_come_back_compressed() {
    let mut options = ServerOptions::default();
    options.accept.deflate = Some(DeflateConfig::default());
    let connections = Connections::new(options);
    let text = "the same again and ".repeat(10_000);
    for address in start_both(&connections).await {
        let before = connections.counts();
        let mut socket = open(address, "/").await.unwrap();
        assert!(socket.extensions().starts_with("permessage-deflate"), "{socket:?}");
        socket.send(text.as_str()).await.unwrap();
        assert_eq!(socket.recv().await.unwrap(), Some(text.as_str().into()));
        assert!(socket.close(None).await.unwrap().was_clean());
        until_none_is_open(&connections).await;
        let after = connections.counts();
        assert_eq!(after.messages_received, before.messages_received + 1);
        assert!(after.bytes_received < before.bytes_received + 10_000, "{after:?}");
    }
    let counts = connections.counts();
    assert_eq!((counts.accepted, counts.opened, counts.failed), (2, 2, 0));
    assert_eq!(counts.closed, [(1005, 2)].into());
}

/// The socket reads the `TcpStream` directly, without hyper's wrapper.
#[tokio::test]
async fn tcp_streams_are_used_directly() {
    let connections = Connections::new(ServerOptions::default());
    for address in start_both(&connections).await {
        let mut socket = open(address, "/").await.unwrap();
        socket.send("transport?").await.unwrap();
        let answer = format!("{:?}", socket.recv().await.unwrap());
        assert!(answer.contains("stream: Some(Transport(Tcp))"), "{answer}");
    }
}

/// Fault FT-27: frames after the request are received, in the same segment or in another.
#[tokio::test]
async fn frames_after_the_request_are_received() {
    let connections = Connections::new(ServerOptions::default());
    for address in start_both(&connections).await {
        for split in 0..=early_request().len() {
            let stream = TcpStream::connect(address).await.unwrap();
            stream.set_nodelay(true).unwrap();
            guarded("the echo", send_in_two(stream, split)).await;
        }
    }
    for split in 0..=early_request().len() {
        let (client, server) = duplex(1 << 16);
        tokio::spawn(serve_hyper(server, connections.clone()));
        guarded("the echo", send_in_two(client, split)).await;
    }
    until_none_is_open(&connections).await;
    let sessions = 3 * (early_request().len() as u64 + 1);
    assert_eq!(connections.counts().closed, [(1000, sessions)].into());
}

/// Returns everything that a client sends without waiting for the response.
fn early_request() -> Vec<u8> {
    let close = masked_frame(FIN | CLOSE, 1000_u16.to_be_bytes());
    let messages = [masked_frame(FIN | TEXT, "a"), masked_frame(FIN | TEXT, "bird"), close];
    [SAMPLE_REQUEST.as_bytes().to_vec(), messages.concat()].concat()
}

async fn send_in_two(mut stream: impl AsyncRead + AsyncWrite + Unpin, split: usize) {
    let sent = early_request();
    let (first, second) = sent.split_at(split);
    stream.write_all(first).await.unwrap();
    stream.flush().await.unwrap();
    let mut peer = Peer::over(stream);
    if split >= SAMPLE_REQUEST.len() {
        // The server has read the first half.
        peer.read_head().await;
        peer.send(second).await;
    } else {
        tokio::task::yield_now().await;
        peer.send(second).await;
        peer.read_head().await;
    }
    let mut answer = Vec::new();
    peer.into_inner().read_to_end(&mut answer).await.unwrap();
    let expected = [frame(FIN | TEXT, "a"), frame(FIN | TEXT, "bird"), close_frame(1000, "")];
    assert_eq!(answer, expected.concat(), "split at {split}");
}

/// Fault FT-29, RFC6455-4.2.2-3: bytes after a request from a foreign origin are not read as a
/// request.
#[tokio::test]
async fn nothing_after_a_rejected_request_is_processed() {
    let connections = Connections::new(ServerOptions::default());
    let foreign = SAMPLE_REQUEST.replace("\r\n\r\n", "\r\nOrigin: https://foreign.example\r\n\r\n");
    for address in start_both(&connections).await {
        let sent = format!("{foreign}GET /other HTTP/1.1\r\nHost: localhost\r\n\r\n");
        let answer = guarded("the answer", ask(address, &sent)).await;
        assert!(answer.starts_with("HTTP/1.1 403 Forbidden\r\n"), "{answer}");
        assert!(answer.contains("\r\nconnection: close\r\n"), "{answer}");
        assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{answer}");
    }
    assert_eq!(OTHER_REQUESTS.load(Ordering::SeqCst), 0);
    let counts = connections.counts();
    assert_eq!((counts.refused, counts.open), ([(403, 2)].into(), 0));
}

/// Sends the request. Returns everything the server sends.
async fn ask(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

/// RFC6455-4.2.1-1: the same rules apply as in `Server`.
#[tokio::test]
async fn invalid_opening_requests_are_rejected() {
    let connections = Connections::new(ServerOptions::default());
    for address in start_both(&connections).await {
        for (right, wrong, status) in [
            ("HTTP/1.1", "HTTP/1.0", 400),
            ("GET", "POST", 405),
            ("Host: localhost\r\n", "", 400),
            ("Upgrade: websocket\r\n", "", 426),
            ("Connection: Upgrade\r\n", "", 400),
            ("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", "", 400),
            ("dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25jZ", 400),
            ("Version: 13", "Version: 12", 426),
        ] {
            let request = SAMPLE_REQUEST.replace(right, wrong);
            let answer = guarded("the answer", ask(address, &request)).await;
            let answered = answer.split(' ').nth(1).unwrap();
            assert_eq!(answered, status.to_string(), "{wrong:?} for {right:?}: {answer}");
        }
    }
    assert_eq!(connections.counts().opened, 0);
}

/// FS-05: hyper's address is unknown, so any host is allowed unless the options restrict the hosts.
#[tokio::test]
async fn foreign_hosts_get_421_if_the_options_say_so() {
    let foreign = SAMPLE_REQUEST.replace("localhost", "app.example");
    for (hosts, request, status) in [
        (HostPolicy::Local(Vec::new()), &*foreign, "421"),
        (HostPolicy::Local(Vec::new()), SAMPLE_REQUEST, "101"),
        (HostPolicy::Auto, &foreign, "101"),
    ] {
        let accept = AcceptOptions::default().hosts(hosts);
        let connections = Connections::new(ServerOptions::default().accept(accept));
        for address in start_both(&connections).await {
            let mut peer = Peer::connect(address).await;
            peer.send(request).await;
            let answer = guarded("the answer", peer.read_head()).await;
            assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
        }
    }
}

/// A request without hyper's `OnUpgrade`.
#[test]
fn a_request_that_hyper_did_not_read_is_rejected() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let _guard = runtime.enter();
    let request = http::Request::get("/")
        .header("Host", "a")
        .header("Upgrade", "websocket")
        .header("Connection", "Upgrade")
        .header("Sec-WebSocket-Version", "13")
        .header("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==");
    let connections = Connections::new(ServerOptions::default());
    let rejection =
        WebSocketUpgrade::new(&mut request.body(()).unwrap(), &connections).unwrap_err();
    assert_eq!((rejection.status().as_u16(), connections.counts().open), (500, 0));
}

#[tokio::test]
async fn the_limits_for_connections_apply() {
    let options = ServerOptions::default().connections(2).connections_per_address(1);
    let connections = Connections::new(options);
    let [hyper, axum] = start_both(&connections).await;
    let first = open(axum, "/counted").await.unwrap();
    assert_eq!(status(axum, "/counted").await, 429);
    let second = open(axum, "/").await.unwrap();
    assert_eq!(status(axum, "/").await, 503);
    assert_eq!(status(hyper, "/").await, 503);
    drop((first, second));
    until_none_is_open(&connections).await;
    open(axum, "/counted").await.unwrap();
    assert_eq!(connections.counts().refused, [(429, 1), (503, 2)].into());
}

#[tokio::test]
async fn the_application_chooses_subprotocol_headers_and_rejection() {
    let connections = Connections::new(ServerOptions::default());
    let address = start_axum(&connections).await;
    let url = Url::parse(&format!("ws://{address}/chosen")).unwrap();
    let options = ConnectOptions::new().subprotocols(Subprotocols::new(["first", "last"]).unwrap());
    let (socket, _) = connect(&url, &options).await.unwrap();
    assert_eq!(socket.subprotocol().map(Subprotocol::as_str), Some("last"));
    assert_eq!(status(address, "/refused").await, 401);
    assert_eq!(connections.counts().refused, [(401, 1)].into());
}

#[tokio::test]
async fn an_unused_upgrade_frees_its_slot() {
    let connections = Connections::new(ServerOptions::default());
    let address = start_axum(&connections).await;
    assert_eq!(status(address, "/forgotten").await, 200);
    assert_eq!(status(address, "/replaced").await, 200);
    until_none_is_open(&connections).await;
    assert_eq!(connections.counts().accepted, 2);
}

#[tokio::test]
async fn shutdown_closes_all_connections_and_counts_them() {
    let connections = Connections::new(ServerOptions::default());
    let [hyper, axum] = start_both(&connections).await;
    let mut sockets = Vec::new();
    for address in [hyper, hyper, axum] {
        sockets.push(open(address, "/").await.unwrap());
    }
    // A client that never answers a Close.
    let mut silent = TcpStream::connect(axum).await.unwrap();
    silent.write_all(SAMPLE_REQUEST.as_bytes()).await.unwrap();
    let mut silent = Peer::over(silent);
    silent.read_head().await;
    let ends = join_all(sockets.iter_mut().map(|socket| async {
        assert_eq!(socket.recv().await.unwrap(), None);
        socket.close_result().unwrap().code()
    }));
    let shutdown = connections.shutdown(Duration::from_millis(500));
    let (drained, ends) = guarded("the shutdown", async { tokio::join!(shutdown, ends) }).await;
    assert_eq!(drained, Drained { closed: 3, cut: 1 });
    assert_eq!(ends, [1001; 3]);
    assert_eq!(silent.read_frame().await.unwrap().payload, 1001_u16.to_be_bytes());
    assert_eq!(silent.read_frame().await, None);
    assert_eq!(status(hyper, "/").await, 503);
    assert_eq!(status(axum, "/").await, 503);
}

/// RFC8441-3-1, RFC8441-5-6: a request over HTTP/2 opens a WebSocket as one over HTTP/1.1 does.
#[tokio::test]
async fn hyper_upgrades_streams_of_http2() {
    let connections = Connections::new(ServerOptions::default());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/", listener.local_addr().unwrap());
    let open = connections.clone();
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let service = service_fn(move |mut request: hyper::Request<Incoming>| {
            let response: hyper::Response<Full<Bytes>> =
                match WebSocketUpgrade::new(&mut request, &open) {
                    Ok(upgrade) if request.uri().path() == "/secret" => upgrade
                        .reject::<String>(&Rejection::new(http::StatusCode::FORBIDDEN, "no"))
                        .map(Full::from),
                    Ok(upgrade) => upgrade.on_upgrade(|mut socket| async move {
                        while let Some(message) = socket.recv().await? {
                            socket.send(message).await?;
                        }
                        HandlerResult::Ok(())
                    }),
                    Err(rejection) => rejection.to_response().map(Full::from),
                };
            async { Ok::<_, Infallible>(response) }
        });
        let mut builder = http2::Builder::new(TokioExecutor::new());
        builder.enable_connect_protocol().serve_connection(TokioIo::new(stream), service).await
    });
    let options = ConnectOptions::new().http(Http::Two);
    let (mut socket, response) = connect(&url, &options).await.unwrap();
    assert_eq!(response.version(), http::Version::HTTP_2);
    socket.send("hello").await.unwrap();
    assert_eq!(socket.recv().await.unwrap(), Some("hello".into()));
    let refused = connect(format!("{url}secret"), &options).await.unwrap_err();
    assert!(refused.to_string().contains("403 Forbidden"), "{refused}");
    assert!(guarded("the end", socket.close(None)).await.unwrap().was_clean());
}
