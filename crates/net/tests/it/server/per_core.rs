//! `Server::serve_per_core`.

use std::cell::Cell;
use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::{Arc, Mutex, mpsc};
use std::thread::{self, ThreadId};
use std::time::Duration;

use fullduplex_lab::ca::{Authority, Validity};
use fullduplex_lab::script::guarded;
use fullduplex_net::proto::CloseCode;
use fullduplex_net::{
    ConnectOptions, Connections, HandlerResult, Http, Http2Options, Request, Server, ServerOptions,
    Socket, Tls, connect,
};
use http::Version;
use tokio::task::JoinHandle;

/// Counts the sockets of each thread.
type Threads = Arc<Mutex<HashMap<ThreadId, usize>>>;

/// The future of this handler is not `Send`.
async fn echo(request: Request, threads: Threads) -> HandlerResult {
    let received = Rc::new(Cell::new(0));
    let mut socket = request.accept().await?;
    *threads.lock().unwrap().entry(thread::current().id()).or_default() += 1;
    while let Some(message) = socket.recv().await? {
        received.set(received.get() + 1);
        socket.send(message).await?;
    }
    Ok(())
}

/// A server with a thread for each core.
struct PerCore {
    address: SocketAddr,
    connections: Connections,
    threads: Threads,
    task: JoinHandle<io::Result<()>>,
}

impl PerCore {
    fn start(server: Server) -> Self {
        let (address, connections) = (server.local_addr().unwrap(), server.connections().clone());
        let threads = Threads::default();
        let counted = Arc::clone(&threads);
        let task =
            tokio::spawn(server.serve_per_core(move |request| echo(request, Arc::clone(&counted))));
        Self { address, connections, threads, task }
    }

    /// Returns the number of sockets in each thread that has any.
    fn spread(&self) -> Vec<usize> {
        let threads = self.threads.lock().unwrap();
        assert!(!threads.contains_key(&thread::current().id()));
        threads.values().copied().collect()
    }

    /// Shuts the server down while the clients wait for the close.
    async fn shutdown(self, sockets: &mut [Socket]) {
        let shutdown = self.connections.shutdown(Duration::from_secs(10));
        let closing = async {
            for socket in sockets {
                assert_eq!(socket.recv().await.unwrap(), None);
                let code = socket.close_result().unwrap().code();
                assert_eq!(code, CloseCode::GOING_AWAY.get());
            }
        };
        guarded("the shutdown", async { tokio::join!(shutdown, closing) }).await;
        guarded("the end of the threads", self.task).await.unwrap().unwrap();
    }
}

async fn bind() -> Server {
    Server::bind("127.0.0.1:0", ServerOptions::default()).await.unwrap()
}

async fn assert_echo(socket: &mut Socket) {
    socket.send("hello").await.unwrap();
    let answer = guarded("the answer", socket.recv()).await.unwrap();
    assert_eq!(answer, Some("hello".into()));
}

#[tokio::test]
async fn clients_are_spread_over_one_thread_for_each_core() {
    let server = PerCore::start(bind().await);
    let cores = thread::available_parallelism().unwrap().get();
    let mut sockets = Vec::new();
    for _ in 0..2 * cores {
        let (mut socket, _) =
            connect(format!("ws://{}/", server.address), &Default::default()).await.unwrap();
        assert_echo(&mut socket).await;
        sockets.push(socket);
    }
    assert_eq!(server.connections.counts().open, 2 * cores as u64);
    assert_eq!(server.spread(), vec![2; cores]);
    server.shutdown(&mut sockets).await;
}

#[tokio::test]
async fn streams_of_one_http2_connection_run_in_one_thread() {
    let server = PerCore::start(bind().await.with_http2(Http2Options::default()));
    let options = ConnectOptions::new().http(Http::Two);
    let mut sockets = Vec::new();
    for _ in 0..4 {
        let (mut socket, response) =
            connect(format!("ws://{}/", server.address), &options).await.unwrap();
        assert_eq!(response.version(), Version::HTTP_2);
        assert_echo(&mut socket).await;
        sockets.push(socket);
    }
    // The connection counts too.
    assert_eq!(server.connections.counts().open, 5);
    assert_eq!(server.spread(), [4]);
    server.shutdown(&mut sockets).await;
}

#[tokio::test]
async fn tls_is_served_with_either_version_of_http() {
    let authority = Authority::new();
    let identity = authority.issue(&["localhost"], Validity::Now);
    let tls = Tls::builder().only_roots(authority.root_pem().as_bytes()).build().unwrap();
    let with_tls = bind().await.with_tls(&identity.of_server());
    let with_both =
        bind().await.with_tls(&identity.of_server()).with_http2(Http2Options::default());
    for (server, versions) in [
        (with_tls, [Version::HTTP_11, Version::HTTP_11]),
        (with_both, [Version::HTTP_11, Version::HTTP_2]),
    ] {
        let server = PerCore::start(server);
        let url = format!("wss://localhost:{}/", server.address.port());
        let mut sockets = Vec::new();
        for (http, version) in [Http::One, Http::Auto].into_iter().zip(versions) {
            let options = ConnectOptions::new().tls(tls.clone()).http(http);
            let (mut socket, response) = connect(&url, &options).await.unwrap();
            assert_eq!(response.version(), version);
            assert_echo(&mut socket).await;
            sockets.push(socket);
        }
        server.shutdown(&mut sockets).await;
    }
}

#[cfg(unix)]
#[tokio::test]
async fn unix_sockets_are_served() {
    use fullduplex_lab::script::{FIN, Peer, SAMPLE_REQUEST, TEXT, masked_frame};
    let folder = fullduplex_lab::folder::Folder::new();
    let path = folder.path().join("socket");
    let server = Server::bind_unix(&path, ServerOptions::default()).unwrap();
    let threads = Threads::default();
    tokio::spawn(server.serve_per_core(move |request| echo(request, Arc::clone(&threads))));
    let mut peer = Peer::over(tokio::net::UnixStream::connect(&path).await.unwrap());
    peer.open(SAMPLE_REQUEST).await;
    peer.send(masked_frame(FIN | TEXT, "by a path")).await;
    assert_eq!(peer.read_payload(FIN | TEXT).await, b"by a path");
}

/// The threads of a server that no longer listens continue while they have connections.
#[tokio::test]
async fn open_connections_outlive_a_dropped_server() {
    let server = bind().await;
    let url = format!("ws://{}/", server.local_addr().unwrap());
    let threads = Threads::default();
    let serving = server.serve_per_core(move |request| echo(request, Arc::clone(&threads)));
    let options = ConnectOptions::default();
    let mut socket = {
        let connecting = connect(&*url, &options);
        tokio::select! {
            _ = serving => unreachable!("the server is not shut down"),
            opened = connecting => opened.unwrap().0,
        }
    };
    assert!(connect(&*url, &options).await.is_err(), "nobody listens");
    assert_echo(&mut socket).await;
    assert!(guarded("the close", socket.close(None)).await.unwrap().was_clean());
}

/// A handler that ignores the shutdown is dropped. The server does not wait for its blocking task.
#[tokio::test]
async fn a_cut_off_handler_does_not_delay_the_end_of_the_threads() {
    struct SendOnDrop(mpsc::Sender<()>);
    impl Drop for SendOnDrop {
        fn drop(&mut self) {
            self.0.send(()).unwrap();
        }
    }

    let server = bind().await;
    let url = format!("ws://{}/", server.local_addr().unwrap());
    let connections = server.connections().clone();
    let (dropped, drops) = mpsc::channel();
    // The blocking task runs until the test drops `_unblock`.
    let (_unblock, blocked) = mpsc::channel::<()>();
    let blocked = Arc::new(Mutex::new(blocked));
    let serving = server.serve_per_core(move |request| {
        let dropped = SendOnDrop(dropped.clone());
        let blocked = Arc::clone(&blocked);
        async move {
            let mut socket = request.accept().await?;
            let blocking = tokio::task::spawn_blocking(move || blocked.lock().unwrap().recv());
            socket.send("blocking").await?;
            blocking.await?.ok();
            drop(dropped);
            HandlerResult::Ok(())
        }
    });
    let serving = tokio::spawn(serving);
    let (mut socket, _) = connect(&*url, &Default::default()).await.unwrap();
    assert_eq!(socket.recv().await.unwrap(), Some("blocking".into()));
    let drained = guarded("the shutdown", connections.shutdown(Duration::ZERO)).await;
    assert_eq!((drained.closed, drained.cut), (0, 1));
    guarded("the end of the threads", serving).await.unwrap().unwrap();
    assert_eq!(drops.try_recv(), Ok(()));
}
