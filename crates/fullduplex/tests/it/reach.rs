//! How a client reaches a server: several addresses, a resolver, a local address, a given stream,
//! and one opening handshake per address at a time.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use fullduplex::{Builder, Proxy, WebSocket};
use fullduplex_lab::echo;
#[cfg(target_os = "linux")]
use fullduplex_lab::process::is_connecting_to;
use fullduplex_lab::script::{Peer, close_frame, deaf, guarded, script};
use fullduplex_lab::served::Served;
use fullduplex_lab::trace::Trace;
use fullduplex_net::proto::Url;
use fullduplex_net::{
    ConnectConcurrency, ConnectError, ConnectOptions, ConnectPhase, Resolve, Resolving,
    ServerOptions, connect, connect_over,
};
use futures_util::future::join_all;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

/// The connection attempt delay that RFC 8305 recommends.
const HEAD_START: Duration = Duration::from_millis(250);

/// A resolver that knows the addresses of one host.
#[derive(Debug)]
struct Known(Vec<SocketAddr>);

impl Resolve for Known {
    fn resolve<'a>(&'a self, host: &'a str, port: u16) -> Resolving<'a> {
        assert_eq!((host, port), ("server.example", 80));
        Box::pin(async { Ok(self.0.clone()) })
    }
}

fn known(addresses: &[SocketAddr]) -> Arc<Known> {
    Arc::new(Known(addresses.to_vec()))
}

/// Returns an address that ignores connections, like an unreachable host, while the first two
/// values are alive.
async fn black_hole() -> (TcpListener, TcpStream, SocketAddr) {
    let (hole, address) = deaf();
    let hole = hole.listen(0).expect("the socket listens");
    let first = TcpStream::connect(address).await.expect("the socket listens");
    (hole, first, address)
}

async fn close<S: AsyncRead + AsyncWrite + Unpin>(mut peer: Peer<S>) {
    peer.shake_hands().await;
    peer.send(close_frame(1000, "")).await;
    peer.read_close().await;
    peer.fin().await;
}

#[tokio::test]
async fn the_next_address_is_tried_after_the_head_start() {
    let (_hole, _first, hole) = black_hole().await;
    let server = script(close).await;
    let options = ConnectOptions::new().resolver(known(&[hole, server.address()]));
    let url = Url::parse("ws://server.example/").unwrap();
    let start = Instant::now();
    let (mut socket, _) = connect(&url, &options).await.unwrap();
    let elapsed = start.elapsed();
    // Other timeouts are longer: minutes in the system, 20 s in the client.
    assert!((HEAD_START..10 * HEAD_START).contains(&elapsed), "{elapsed:?}");
    assert_eq!(socket.recv().await.unwrap(), None);
    server.finish().await;
}

#[tokio::test]
async fn the_next_address_is_tried_at_once_after_a_refusal() {
    let held: Vec<_> = (0..10).map(|_| deaf()).collect();
    let server = script(close).await;
    let addresses: Vec<_> = held.iter().map(|(_, address)| *address).collect();
    let socket = WebSocket::builder("ws://server.example/")
        .resolver(known(&[&addresses[..], &[server.address()]].concat()));
    let start = Instant::now();
    server.record_as(socket).await.0.assert_events(&Trace::OPENED_AND_CLOSED);
    assert!(start.elapsed() < 10 * HEAD_START);
}

/// The first success wins, and the other attempt is cancelled.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn the_losing_attempt_is_cancelled() {
    let (_hole, _first, slow) = black_hole().await;
    let server = script(close).await;
    let options = ConnectOptions::new().resolver(known(&[slow, server.address()]));
    let url = Url::parse("ws://server.example/").unwrap();
    let connecting = async { connect(&url, &options).await.unwrap() };
    let race = async { tokio::join!(connecting, until_connecting(slow, true)).0 };
    let (mut socket, _) = guarded("both attempts", race).await;
    guarded("the end of the other attempt", until_connecting(slow, false)).await;
    assert_eq!(socket.recv().await.unwrap(), None);
    server.finish().await;
}

/// Waits until a socket is connecting to `address`, or until none is.
#[cfg(target_os = "linux")]
async fn until_connecting(address: SocketAddr, is_connecting: bool) {
    let SocketAddr::V4(address) = address else { panic!("not an IPv4 address") };
    while is_connecting_to(address) != is_connecting {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// RFC6455-4.1-8.
#[tokio::test]
async fn the_failure_of_each_address_is_reported() {
    let [(_one, one), (_other, other)] = [deaf(), deaf()];
    let resolver = known(&[one, other]);
    let socket = WebSocket::builder("ws://server.example/").resolver(resolver);
    let refused = TcpStream::connect(one).await.unwrap_err();
    let told = format!("could not connect to {one}: {refused}, nor to {other}: {refused}");
    Trace::record(socket).await.assert_failed(&[], &told);

    let (_hole, _first, hole) = black_hole().await;
    let options = ConnectOptions::new()
        .resolver(known(&[one, hole]))
        .connect_timeout(Duration::from_millis(200));
    let url = Url::parse("ws://server.example/").unwrap();
    let error = connect(&url, &options).await.unwrap_err();
    let ConnectError::Timeout { phase, failures, .. } = &error else { panic!("{error:?}") };
    assert_eq!(*phase, ConnectPhase::Tcp);
    let kinds: Vec<_> = failures.iter().map(|f| (f.address, f.error.kind())).collect();
    let refused = (one, std::io::ErrorKind::ConnectionRefused);
    assert_eq!(kinds, [refused, (hole, std::io::ErrorKind::TimedOut)]);
    assert!(error.to_string().contains("no answer"), "{error}");
}

#[derive(Debug)]
struct Hangs;

impl Resolve for Hangs {
    fn resolve<'a>(&'a self, _host: &'a str, _port: u16) -> Resolving<'a> {
        Box::pin(std::future::pending())
    }
}

#[tokio::test]
async fn a_resolver_without_an_answer_fails() {
    let socket = WebSocket::builder("ws://server.example/").resolver(known(&[]));
    let cause = "could not resolve the host `server.example`: the host has no address";
    Trace::record(socket).await.assert_failed(&[], cause);
    let socket = WebSocket::builder("ws://server.example/")
        .resolver(Arc::new(Hangs))
        .connect_timeout(Duration::from_millis(200));
    let cause = "could not resolve server.example:80 within 200ms";
    Trace::record(socket).await.assert_failed(&[], cause);
    // An IP address is not resolved.
    let server = script(close).await;
    let socket = WebSocket::builder(&server.url()).resolver(Arc::new(Hangs));
    server.record_as(socket).await.0.assert_events(&Trace::OPENED_AND_CLOSED);
}

#[tokio::test]
async fn the_local_address_is_used() {
    let local = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 77));
    let server = script(async |peer: Peer| {
        let stream = peer.into_inner();
        let from = stream.peer_addr().unwrap().ip();
        close(Peer::over(stream)).await;
        from
    })
    .await;
    let socket = WebSocket::builder(&server.url()).local_address(local);
    let (trace, from) = server.record_as(socket).await;
    trace.assert_events(&Trace::OPENED_AND_CLOSED);
    assert_eq!(from, local);

    let socket = WebSocket::builder("ws://127.0.0.1:9999/").local_address("::1".parse().unwrap());
    Trace::record(socket).await.assert_failed(&[], "no address in the family of the local address");
}

#[tokio::test]
async fn a_given_stream_is_used() {
    let (ours, theirs) = tokio::io::duplex(1 << 12);
    let url = Url::parse("ws://server.example/path").unwrap();
    let options = ConnectOptions::default();
    let server = async {
        let mut peer = Peer::over(theirs);
        let request = peer.shake_hands().await;
        peer.send(close_frame(1000, "")).await;
        peer.read_close().await;
        peer.fin().await;
        request
    };
    let client = async {
        let (mut socket, _) = connect_over(ours, &url, &options).await.unwrap();
        assert_eq!(socket.recv().await.unwrap(), None);
    };
    let (request, ()) = guarded("the end", async { tokio::join!(server, client) }).await;
    assert!(request.starts_with("GET /path HTTP/1.1\r\nHost: server.example\r\n"), "{request}");

    let (ours, _theirs) = tokio::io::duplex(1 << 12);
    let hasty = ConnectOptions::new().handshake_timeout(Duration::from_millis(100));
    let error = guarded("the deadline", connect_over(ours, &url, &hasty)).await.unwrap_err();
    assert!(matches!(error, ConnectError::Timeout { .. }), "{error:?}");
}

// One handshake at a time.

/// Starts a server that delays its answers until `together` clients wait at the same time. Also
/// returns the highest number of clients that waited at the same time.
async fn counting(together: usize) -> (Served, Arc<AtomicUsize>) {
    let (waiting, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let counted = Arc::clone(&most);
    let served = Served::by(ServerOptions::default(), move |request| {
        let (waiting, most) = (Arc::clone(&waiting), Arc::clone(&counted));
        async move {
            most.fetch_max(waiting.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            // Gives other clients time to connect.
            tokio::time::sleep(Duration::from_millis(20)).await;
            while most.load(Ordering::SeqCst) < together {
                tokio::task::yield_now().await;
            }
            waiting.fetch_sub(1, Ordering::SeqCst);
            echo::requests(request).await
        }
    })
    .await;
    (served, most)
}

async fn open_ten(port: u16, handshakes: ConnectConcurrency) {
    let opening = (0..10).map(|number| async move {
        // Two names of one address.
        let host = ["127.0.0.1", "localhost"][number % 2];
        let url = Url::parse(&format!("ws://{host}:{port}/")).expect("the URL is valid");
        let options =
            ConnectOptions::new().concurrency(handshakes).local_address(Ipv4Addr::LOCALHOST.into());
        connect(&url, &options).await.expect("the connection opens")
    });
    assert_eq!(guarded("ten connections", join_all(opening)).await.len(), 10);
}

/// RFC6455-4.1-3.
#[tokio::test]
async fn handshakes_with_one_address_do_not_overlap() {
    let (served, most) = counting(1).await;
    open_ten(served.address().port(), ConnectConcurrency::OnePerAddress).await;
    assert_eq!(most.load(Ordering::SeqCst), 1);
    let (served, most) = counting(10).await;
    open_ten(served.address().port(), ConnectConcurrency::Unlimited).await;
    assert_eq!(most.load(Ordering::SeqCst), 10);
}

/// Checks that the second of two sockets connects only after the first has ended.
async fn assert_second_waits(listener: TcpListener, socket: impl Fn() -> Builder) {
    let [first, second] = [(); 2].map(|()| socket().open().expect("the URL is valid"));
    let mut one = Peer::over(listener.accept().await.expect("the first connects").0);
    one.read_head().await;
    let other = tokio::time::timeout(Duration::from_millis(200), listener.accept()).await;
    assert!(other.is_err(), "{other:?}");
    // A closed attempt does not delay the next one.
    first.close();
    let came = guarded("the second", listener.accept()).await;
    let mut two = Peer::over(came.expect("the second connects").0);
    if two.read_head().await.starts_with("CONNECT ") {
        two.send("HTTP/1.1 200 OK\r\n\r\n").await;
        two.read_head().await;
    }
    drop(two);
    assert!(!second.closed().await.was_clean);
}

async fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
    let listener = listener.expect("loopback has a free port");
    let address = listener.local_addr().expect("a bound socket has an address");
    (listener, address)
}

/// RFC6455-4.1-3, WPT constructor/014.
#[tokio::test(start_paused = true)]
async fn a_second_object_waits_for_the_first() {
    let (listener, address) = listener().await;
    assert_second_waits(listener, || WebSocket::builder(&format!("ws://{address}/"))).await;
}

/// RFC6455-4.1-4: the rule also holds if the proxy resolves the name.
#[tokio::test(start_paused = true)]
async fn a_second_object_waits_for_the_first_through_a_proxy() {
    let (listener, address) = listener().await;
    let proxy = Proxy::parse(&format!("http://{address}")).unwrap();
    let socket = || WebSocket::builder("ws://server.example/").proxy(proxy.clone());
    assert_second_waits(listener, socket).await;
}

/// RFC6455-4.1-3: a server that does not answer delays only connections to itself, and only until
/// the deadline.
#[tokio::test]
async fn a_hanging_server_delays_no_other() {
    let (listener, address) = listener().await;
    let url = Url::parse(&format!("ws://{address}/")).unwrap();
    let began = Arc::new(Notify::new());
    let hanging = async {
        let (mut peer, mut held) = (None, Vec::new());
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            began.notify_one();
            held.push(peer.replace(stream));
        }
    };
    let with_deadline = async |deadline| {
        let options = ConnectOptions::new()
            .concurrency(ConnectConcurrency::OnePerAddress)
            .handshake_timeout(Duration::from_millis(deadline));
        connect(&url, &options).await.unwrap_err()
    };
    let clients = async {
        let mut first = std::pin::pin!(with_deadline(1000));
        let elsewhere = async {
            began.notified().await;
            script(close).await.record().await.0.assert_events(&Trace::OPENED_AND_CLOSED);
        };
        tokio::select! {
            error = &mut first => panic!("the other server was delayed: {error}"),
            () = elsewhere => {}
        }
        let (first, second) = tokio::join!(first, with_deadline(100));
        for error in [first, second] {
            let ConnectError::Timeout { phase, .. } = &error else { panic!("{error:?}") };
            assert_eq!(*phase, ConnectPhase::Handshake);
        }
    };
    tokio::select! {
        () = guarded("both deadlines", clients) => {}
        () = hanging => {}
    }
}

/// The connect timeout applies to a connection that waits for its turn.
#[tokio::test]
async fn waiting_for_a_turn_ends_at_the_connect_timeout() {
    let (listener, address) = listener().await;
    let url = Url::parse(&format!("ws://{address}/")).unwrap();
    let patient = ConnectOptions::new().concurrency(ConnectConcurrency::OnePerAddress);
    let first = connect(&url, &patient);
    let second = async {
        let (_stream, _) = listener.accept().await.unwrap();
        let hasty = patient.clone().connect_timeout(Duration::from_millis(100));
        connect(&url, &hasty).await.unwrap_err()
    };
    let error = tokio::select! {
        _ = first => panic!("the server does not answer"),
        error = guarded("the connect timeout", second) => error,
    };
    assert!(error.to_string().contains("other connections to it were opened first"), "{error}");
}

/// The connect timeout restarts whenever the server answers the connection ahead in the queue.
#[tokio::test]
async fn the_connect_timeout_restarts_while_the_server_answers() {
    const PATIENCE: Duration = Duration::from_secs(1);
    let (listener, address) = listener().await;
    let url = Url::parse(&format!("ws://{address}/")).unwrap();
    let options = ConnectOptions::new()
        .concurrency(ConnectConcurrency::OnePerAddress)
        .connect_timeout(PATIENCE);
    let clients = join_all((0..5).map(|_| connect(&url, &options)));
    let server = async {
        for _ in 0..5 {
            let mut peer = Peer::over(listener.accept().await.unwrap().0);
            peer.read_head().await;
            tokio::time::sleep(PATIENCE * 3 / 10).await;
            peer.send("nonsense\r\n").await;
        }
    };
    let (results, ()) = guarded("the answers", async { tokio::join!(clients, server) }).await;
    for result in results {
        let error = result.unwrap_err();
        assert!(matches!(error, ConnectError::Opening { .. }), "{error}");
    }
}
