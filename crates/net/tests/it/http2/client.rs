//! A client that connects over HTTP/2, to our server and to servers of the `h2` crate.

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use fullduplex_lab::ca::{Authority, Validity};
use fullduplex_lab::script::{CLOSE, FIN, guarded};
use fullduplex_lab::served::Served;
use fullduplex_net::proto::handshake::{Rejection, Subprotocols};
use fullduplex_net::proto::{DeflateConfig, Url};
use fullduplex_net::{
    AcceptOptions, ConnectError, ConnectOptions, Connecting, Connector, HandlerResult, Http,
    Http2Options, Request, Server, ServerOptions, Tls, Transport, connect,
};
use futures_util::future::join_all;
use h2::server::{Connection, SendResponse};
use h2::{Reason, RecvStream};
use http::{Method, Response, StatusCode, Version};
use rustls::ServerConfig;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, copy_bidirectional, duplex};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Barrier, mpsc};
use tokio::time::{Instant, timeout};
use tokio_rustls::TlsAcceptor;

use super::raw::serve;

async fn echo(request: Request) -> HandlerResult {
    if request.uri().path() == "/secret" {
        let rejection = Rejection::new(StatusCode::UNAUTHORIZED, "log in");
        return Ok(request.reject(rejection).await?);
    }
    let mut socket = request.accept().await?;
    while let Some(message) = socket.recv().await? {
        socket.send(message).await?;
    }
    Ok(())
}

fn over_http2() -> ConnectOptions {
    ConnectOptions::new().http(Http::Two)
}

/// RFC8441-5-6, RFC8441-5-7: sockets that are opened at the same time are streams of one connection.
#[tokio::test]
async fn sockets_share_a_connection() {
    const SOCKETS: u64 = 100;
    let served = serve(ServerOptions::default(), Http2Options::default(), echo).await;
    let (url, options) = (format!("ws://{}/a?b", served.address()), over_http2());
    let sockets = join_all((0..SOCKETS).map(|_| connect(&url, &options))).await;
    assert_eq!(served.connections().counts().open, SOCKETS + 1);
    for (number, opened) in sockets.into_iter().enumerate() {
        let (mut socket, response) = opened.unwrap();
        assert_eq!((response.status(), response.version()), (StatusCode::OK, Version::HTTP_2));
        socket.send(number.to_string()).await.unwrap();
        assert_eq!(socket.recv().await.unwrap(), Some(number.to_string().into()));
        let closed = guarded("the end", socket.close(None)).await.unwrap();
        assert!(closed.was_clean());
    }
    served.until_open(1).await;
    let (mut socket, _) = connect(&url, &options).await.unwrap();
    socket.send("again").await.unwrap();
    assert_eq!(socket.recv().await.unwrap(), Some("again".into()));
    assert_eq!(served.connections().counts().accepted, SOCKETS + 2);
}

/// RFC8441-5-5
#[tokio::test]
async fn the_ends_agree_as_over_http_1_1() {
    let accept = AcceptOptions::default()
        .subprotocols(Subprotocols::new(["superchat"]).unwrap())
        .deflate(DeflateConfig::default());
    let options = ServerOptions::default().accept(accept);
    let served = serve(options, Http2Options::default(), echo).await;
    let url = format!("ws://{}/", served.address());
    let options = over_http2().subprotocols(Subprotocols::new(["chat", "superchat"]).unwrap());
    let (mut socket, _) = connect(url, &options).await.unwrap();
    assert_eq!(socket.subprotocol().unwrap().as_str(), "superchat");
    assert_ne!(socket.extensions(), "");
    let large: String = (0..500_000).map(|number: u32| number.to_string()).collect();
    socket.send(large.as_str()).await.unwrap();
    assert_eq!(socket.recv().await.unwrap(), Some(large.into()));
}

#[tokio::test]
async fn a_rejection_is_reported_with_its_body() {
    let served = serve(ServerOptions::default(), Http2Options::default(), echo).await;
    let url = format!("ws://{}/secret", served.address());
    let error = connect(url, &over_http2()).await.unwrap_err();
    assert!(matches!(&error, ConnectError::Rejected(rejected) if rejected.status == 401));
    let expected = "answered 401 Unauthorized instead of 200 OK: log in";
    assert!(error.to_string().ends_with(expected), "{error}");
}

/// Connects to a server on this machine as `connect` does, but as a transport of another kind.
#[derive(Debug)]
struct Local;

impl Connector for Local {
    fn connect<'a>(&'a self, url: &'a Url) -> Connecting<'a> {
        Box::pin(async {
            Ok(Transport::other(TcpStream::connect(("127.0.0.1", url.port())).await?))
        })
    }
}

/// ALPN chooses the version of HTTP, over every kind of transport.
#[tokio::test]
async fn auto_uses_http2_if_the_server_does() {
    let authority = Authority::new();
    let identity = authority.issue(&["localhost"], Validity::Now);
    let tls = Tls::builder().only_roots(authority.root_pem().as_bytes()).build().unwrap();
    for speaks_http2 in [true, false] {
        let server = Server::bind("127.0.0.1:0", ServerOptions::default()).await.unwrap();
        let mut server = server.with_tls(&identity.of_server());
        if speaks_http2 {
            server = server.with_http2(Http2Options::default());
        }
        let served = Served::from_server(server, echo);
        let url = format!("wss://localhost:{}/", served.address().port());
        let over_tcp = ConnectOptions::new().tls(tls.clone());
        let over_connector = over_tcp.clone().connector(Arc::new(Local));
        for options in [over_tcp, over_connector] {
            let (mut socket, response) =
                connect(&url, &options.clone().http(Http::Auto)).await.unwrap();
            let version = if speaks_http2 { Version::HTTP_2 } else { Version::HTTP_11 };
            assert_eq!(response.version(), version);
            socket.send("hello").await.unwrap();
            assert_eq!(socket.recv().await.unwrap(), Some("hello".into()));
            let two = connect(&url, &options.clone().http(Http::Two)).await;
            assert_eq!(two.is_ok(), speaks_http2);
            if let Err(error) = two {
                assert!(matches!(error, ConnectError::NoHttp2 { .. }), "{error}");
            }
            let (_, response) = connect(&url, &options).await.unwrap();
            assert_eq!(response.version(), Version::HTTP_11);
        }
    }
}

/// Connects to a TLS server on 127.0.0.1. All connections but the first wait until two are opened at the same
/// time.
#[derive(Debug)]
struct InPairs {
    is_first: AtomicBool,
    pair: Barrier,
}

impl Connector for InPairs {
    fn connect<'a>(&'a self, url: &'a Url) -> Connecting<'a> {
        Box::pin(async move {
            if !self.is_first.swap(false, Ordering::SeqCst) {
                self.pair.wait().await;
            }
            Ok(Transport::other(TcpStream::connect(("127.0.0.1", url.port())).await?))
        })
    }
}

/// Only the first socket to a server without HTTP/2 tries HTTP/2. The others do not wait for each other.
#[tokio::test]
async fn auto_remembers_a_server_without_http2() {
    let authority = Authority::new();
    let identity = authority.issue(&["localhost"], Validity::Now);
    let server = Server::bind("127.0.0.1:0", ServerOptions::default()).await.unwrap();
    let served = Served::from_server(server.with_tls(&identity.of_server()), echo);
    let url = format!("wss://localhost:{}/", served.address().port());
    let tls = Tls::builder().only_roots(authority.root_pem().as_bytes()).build().unwrap();
    let connector = InPairs { is_first: true.into(), pair: Barrier::new(2) };
    let options = ConnectOptions::new().tls(tls).http(Http::Auto).connector(Arc::new(connector));
    connect(&url, &options).await.unwrap();
    let pair = join_all([connect(&url, &options), connect(&url, &options)]);
    for opened in guarded("two connections", pair).await {
        assert_eq!(opened.unwrap().1.version(), Version::HTTP_11);
    }
}

/// The task of a connection runs only while its runtime does.
#[test]
fn runtimes_do_not_share_a_connection() {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (first, second) = (runtime(), runtime());
    let serving = tokio::runtime::Runtime::new().unwrap();
    let served = serving.block_on(serve(ServerOptions::default(), Http2Options::default(), echo));
    let url = format!("ws://{}/", served.address());
    let (_idle, _) = first.block_on(connect(&url, &over_http2())).unwrap();
    second.block_on(async {
        let opened = guarded("a connection", connect(&url, &over_http2())).await;
        let (mut socket, _) = opened.unwrap();
        socket.send("hello").await.unwrap();
        assert_eq!(socket.recv().await.unwrap(), Some("hello".into()));
    });
}

/// Other options for TLS never share a connection.
#[tokio::test]
async fn connections_are_shared_only_with_the_same_tls_options() {
    let authority = Authority::new();
    let identity = authority.issue(&["localhost"], Validity::Now);
    let server = Server::bind("127.0.0.1:0", ServerOptions::default()).await.unwrap();
    let server = server.with_tls(&identity.of_server()).with_http2(Http2Options::default());
    let served = Served::from_server(server, echo);
    let url = format!("wss://localhost:{}/", served.address().port());
    let trusting = Tls::builder().only_roots(authority.root_pem().as_bytes()).build().unwrap();
    let first = connect(&url, &over_http2().tls(trusting.clone())).await.unwrap();
    let second = connect(&url, &over_http2().tls(trusting)).await.unwrap();
    assert_eq!(served.connections().counts().open, 3);
    let other = Authority::new();
    let wary = Tls::builder().only_roots(other.root_pem().as_bytes()).build().unwrap();
    let error = connect(&url, &over_http2().tls(wary)).await.unwrap_err();
    assert!(matches!(error, ConnectError::Tls { .. }), "{error}");
    drop((first, second));
}

/// RFC8441-6-1: the client asks the proxy for a tunnel to the server with an ordinary CONNECT.
#[tokio::test]
async fn a_proxy_forwards_http2() {
    let served = serve(ServerOptions::default(), Http2Options::default(), echo).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let proxy = format!("http://{}", listener.local_addr().unwrap());
    let address = served.address();
    let forwarding = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.unwrap());
        }
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
        let mut server = TcpStream::connect(address).await.unwrap();
        copy_bidirectional(&mut stream, &mut server).await.ok();
        String::from_utf8(head).unwrap()
    });
    let options = over_http2().proxies(fullduplex_net::Proxy::parse(&proxy).unwrap());
    let (mut socket, _) = connect(format!("ws://{address}/"), &options).await.unwrap();
    socket.send("hello").await.unwrap();
    assert_eq!(socket.recv().await.unwrap(), Some("hello".into()));
    served.connections().shutdown(Duration::ZERO).await;
    let head = guarded("the end of the proxy", forwarding).await.unwrap();
    assert!(head.starts_with(&format!("CONNECT {address} HTTP/1.1\r\n")), "{head}");
}

/// Connects in memory, to a server that the test plays.
#[derive(Debug)]
struct Memory(mpsc::UnboundedSender<DuplexStream>);

impl Connector for Memory {
    fn connect<'a>(&'a self, _url: &'a Url) -> Connecting<'a> {
        Box::pin(async move {
            let (ours, theirs) = duplex(1 << 16);
            self.0.send(theirs).map_err(std::io::Error::other)?;
            Ok(Transport::other(ours))
        })
    }
}

pub(super) fn memory() -> (ConnectOptions, mpsc::UnboundedReceiver<DuplexStream>) {
    let (sender, streams) = mpsc::unbounded_channel();
    (over_http2().connector(Arc::new(Memory(sender))), streams)
}

type Accepted = (http::Request<RecvStream>, SendResponse<Bytes>);

/// Accepts a connection with extended CONNECT, and its first request.
async fn accept(stream: DuplexStream) -> (Connection<DuplexStream, Bytes>, Accepted) {
    let mut builder = h2::server::Builder::new();
    let handshake = builder.enable_connect_protocol().handshake(stream);
    let mut connection: Connection<_, Bytes> = handshake.await.unwrap();
    let accepted = guarded("a request", connection.accept()).await.unwrap().unwrap();
    (connection, accepted)
}

/// RFC8441-5-7: an orderly close ends with END_STREAM, and a socket that is dropped is a stream that is reset.
#[tokio::test]
async fn a_dropped_socket_is_a_reset_stream() {
    let (options, mut streams) = memory();
    let serving = tokio::spawn(async move {
        let (mut connection, (request, mut respond)) = accept(streams.recv().await.unwrap()).await;
        assert_eq!(request.method(), Method::CONNECT);
        assert_eq!(request.uri(), "http://server.example/");
        let mut closed = request.into_body();
        let mut sending = respond.send_response(Response::new(()), false).unwrap();
        sending.send_data(Bytes::from_static(&[FIN | CLOSE, 0]), true).unwrap();
        let (request, mut respond) = connection.accept().await.unwrap().unwrap();
        let mut dropped = request.into_body();
        let _sending = respond.send_response(Response::new(()), false).unwrap();
        tokio::spawn(async move { while connection.accept().await.is_some() {} });
        let mut reply = Vec::new();
        while let Some(data) = guarded("END_STREAM", closed.data()).await {
            reply.extend_from_slice(&data.unwrap());
        }
        assert_eq!(reply[0], FIN | CLOSE);
        let reset = guarded("RST_STREAM", dropped.data()).await.unwrap().unwrap_err();
        assert_eq!(reset.reason(), Some(Reason::CANCEL));
    });
    let url = "ws://server.example/";
    let (mut closed, _) = connect(url, &options).await.unwrap();
    let (dropped, _) = connect(url, &options).await.unwrap();
    assert_eq!(closed.recv().await.unwrap(), None);
    drop(dropped);
    guarded("the server", serving).await.unwrap();
}

/// RFC 9113 section 8.1: a stream that is reset with NO_ERROR has ended. Another reason is the cause of the error.
#[tokio::test]
async fn the_reason_of_a_reset_is_the_source_of_the_error() {
    for (reason, has_source) in [(Reason::NO_ERROR, false), (Reason::INTERNAL_ERROR, true)] {
        let (options, mut streams) = memory();
        let (opened, mut is_open) = mpsc::unbounded_channel();
        let serving = tokio::spawn(async move {
            let (mut connection, (_, mut respond)) = accept(streams.recv().await.unwrap()).await;
            let mut sending = respond.send_response(Response::new(()), false).unwrap();
            tokio::select! {
                _ = connection.accept() => panic!("the connection has ended"),
                _ = is_open.recv() => {}
            }
            sending.send_reset(reason);
            while connection.accept().await.is_some() {}
        });
        let (mut socket, _) = connect("ws://server.example/", &options).await.unwrap();
        opened.send(()).unwrap();
        let error = guarded("the error", socket.recv()).await.unwrap_err();
        assert_eq!(error.source().is_some(), has_source, "{reason:?}");
        serving.abort();
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_takes_no_more_than_its_window() {
    const WINDOW: u64 = 65_535;
    let (options, mut streams) = memory();
    let serving = tokio::spawn(async move {
        let (mut connection, (_unread, mut respond)) = accept(streams.recv().await.unwrap()).await;
        let _sending = respond.send_response(Response::new(()), false).unwrap();
        while connection.accept().await.is_some() {}
    });
    let (mut socket, _) = connect("ws://server.example/", &options).await.unwrap();
    for _ in 0..8 {
        socket.queue(vec![0; 20_000]).unwrap();
    }
    let queued = socket.queued_bytes();
    assert!(timeout(Duration::from_secs(1), socket.flush()).await.is_err());
    assert_eq!(socket.queued_bytes(), queued - WINDOW);
    serving.abort();
}

/// RFC8441-3-2: without the setting, the client sends no extended CONNECT.
#[tokio::test]
async fn a_server_without_the_setting_gets_no_request() {
    let (options, mut streams) = memory();
    let serving = tokio::spawn(async move {
        let stream = streams.recv().await.unwrap();
        let mut connection: Connection<_, Bytes> = h2::server::handshake(stream).await.unwrap();
        assert!(guarded("the end", connection.accept()).await.is_none());
    });
    let error = connect("ws://server.example/", &options).await.unwrap_err();
    assert!(matches!(error, ConnectError::NoHttp2 { .. }), "{error}");
    guarded("the server", serving).await.unwrap();
}

/// A server that speaks HTTP/2 without extended CONNECT is used over HTTP/1.1. That is known for ten minutes.
#[tokio::test(start_paused = true)]
async fn auto_falls_back_without_extended_connect() {
    let authority = Authority::new();
    let identity = authority.issue(&["server.example"], Validity::Now);
    let mut config = ServerConfig::clone(identity.acceptor().config());
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let (options, mut streams) = memory();
    let (chosen, mut versions) = mpsc::unbounded_channel();
    let serving = tokio::spawn(async move {
        while let Some(stream) = streams.recv().await {
            let stream = acceptor.accept(stream).await.unwrap();
            let is_http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
            chosen.send(is_http2).unwrap();
            tokio::spawn(async move {
                if is_http2 {
                    let mut connection: Connection<_, Bytes> =
                        h2::server::handshake(stream).await.unwrap();
                    while connection.accept().await.is_some() {}
                } else {
                    let accepted = fullduplex_net::accept(stream, &AcceptOptions::default()).await;
                    accepted.unwrap().closed().await;
                }
            });
        }
    });
    let tls = Tls::builder().only_roots(authority.root_pem().as_bytes()).build().unwrap();
    let options = options.http(Http::Auto).tls(tls);
    for tries_http2 in [true, false, true] {
        let (_socket, response) = connect("wss://server.example/", &options).await.unwrap();
        assert_eq!(response.version(), Version::HTTP_11);
        if tries_http2 {
            assert_eq!(versions.recv().await, Some(true));
        } else {
            tokio::time::advance(Duration::from_secs(601)).await;
        }
        assert_eq!(versions.recv().await, Some(false));
        assert!(versions.try_recv().is_err());
    }
    serving.abort();
}

/// RFC 9113 section 6.8: a connection that has received GOAWAY keeps its streams, and gets no new ones.
#[tokio::test]
async fn new_streams_are_not_opened_after_goaway() {
    let (options, mut streams) = memory();
    let (leave, mut leaves) = mpsc::unbounded_channel();
    let serving = tokio::spawn(async move {
        let (mut first, (_, mut respond)) = accept(streams.recv().await.unwrap()).await;
        let mut sending = respond.send_response(Response::new(()), false).unwrap();
        tokio::select! {
            _ = first.accept() => panic!("the connection has ended"),
            _ = leaves.recv() => {}
        }
        first.graceful_shutdown();
        tokio::spawn(async move {
            // The client may send a request before it receives GOAWAY.
            while let Some(Ok((_, mut respond))) = first.accept().await {
                respond.send_reset(Reason::REFUSED_STREAM);
            }
        });
        let (mut second, (_, mut respond)) = accept(streams.recv().await.unwrap()).await;
        let _new = respond.send_response(Response::new(()), false).unwrap();
        sending.send_data(Bytes::from_static(b"\x81\x02hi"), false).unwrap();
        while second.accept().await.is_some() {}
    });
    let (mut old, _) = connect("ws://server.example/", &options).await.unwrap();
    leave.send(()).unwrap();
    let _new = guarded("a connection", connect("ws://server.example/", &options)).await.unwrap();
    assert_eq!(guarded("a message", old.recv()).await.unwrap(), Some("hi".into()));
    serving.abort();
}

#[tokio::test]
async fn a_server_that_answers_over_http_1_1_is_reported() {
    let (options, mut streams) = memory();
    let serving = tokio::spawn(async move {
        let mut stream = streams.recv().await.unwrap();
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
    });
    let error = connect("ws://server.example/", &options).await.unwrap_err();
    assert!(error.to_string().ends_with("the server may not speak HTTP/2"), "{error}");
    guarded("the server", serving).await.unwrap();
}

/// RFC 9113 sections 6.8 and 8.7: a request that the server has not processed is repeated in another connection.
#[tokio::test]
async fn a_request_that_was_not_processed_is_repeated() {
    let (options, mut streams) = memory();
    let serving = tokio::spawn(async move {
        let (mut refusing, (_, mut respond)) = accept(streams.recv().await.unwrap()).await;
        respond.send_reset(Reason::REFUSED_STREAM);
        tokio::spawn(async move { while refusing.accept().await.is_some() {} });
        let (mut connection, (_, mut respond)) = accept(streams.recv().await.unwrap()).await;
        let mut sending = respond.send_response(Response::new(()), false).unwrap();
        sending.send_data(Bytes::from_static(b"\x81\x02hi"), false).unwrap();
        while connection.accept().await.is_some() {}
    });
    let (mut socket, _) = connect("ws://server.example/", &options).await.unwrap();
    assert_eq!(socket.recv().await.unwrap(), Some("hi".into()));
    drop((socket, options));
    serving.abort();
}

/// A connection that was in use before may end while a request waits for its response. The request is repeated. A new
/// connection that ends is an error.
#[tokio::test]
async fn a_request_is_repeated_if_a_used_connection_ends() {
    let (options, mut streams) = memory();
    let serving = tokio::spawn(async move {
        let (mut first, (_, mut respond)) = accept(streams.recv().await.unwrap()).await;
        let _sending = respond.send_response(Response::new(()), false).unwrap();
        let waiting = guarded("a request", first.accept()).await.unwrap().unwrap();
        drop((first, waiting));
        let (new, waiting) = accept(streams.recv().await.unwrap()).await;
        drop((new, waiting));
        assert!(streams.try_recv().is_err());
    });
    let url = "ws://server.example/";
    let (_socket, _) = connect(url, &options).await.unwrap();
    let error = guarded("the error", connect(url, &options)).await.unwrap_err();
    assert!(matches!(error, ConnectError::Http2 { .. }), "{error}");
    guarded("the server", serving).await.unwrap();
}

/// A request that no server processes fails after the third connection.
#[tokio::test]
async fn a_request_is_repeated_at_most_twice() {
    let (options, mut streams) = memory();
    let serving = tokio::spawn(async move {
        for _ in 0..3 {
            let (mut refusing, (_, mut respond)) = accept(streams.recv().await.unwrap()).await;
            respond.send_reset(Reason::REFUSED_STREAM);
            tokio::spawn(async move { while refusing.accept().await.is_some() {} });
        }
    });
    let connecting = connect("ws://server.example/", &options);
    let error = guarded("the error", connecting).await.unwrap_err();
    assert!(matches!(error, ConnectError::Http2 { .. }), "{error}");
    guarded("the server", serving).await.unwrap();
}

/// A connection that has ended is not used again. The sockets of one that answers no PING end within two intervals.
#[tokio::test(start_paused = true)]
async fn a_dead_connection_is_replaced() {
    let (options, mut streams) = memory();
    let (frozen, mut is_frozen) = mpsc::unbounded_channel();
    let serving = tokio::spawn(async move {
        let (mut first, (_, mut respond)) = accept(streams.recv().await.unwrap()).await;
        let _sending = respond.send_response(Response::new(()), false).unwrap();
        // From now on, no task drives the connection.
        tokio::select! {
            _ = first.accept() => panic!("the connection has ended"),
            _ = is_frozen.recv() => {}
        }
        let (mut second, (_, mut respond)) = accept(streams.recv().await.unwrap()).await;
        let _sending = respond.send_response(Response::new(()), false).unwrap();
        while second.accept().await.is_some() {}
    });
    let url = "ws://server.example/";
    let (mut socket, _) = connect(url, &options).await.unwrap();
    frozen.send(()).unwrap();
    let start = Instant::now();
    socket.recv().await.unwrap_err();
    assert!(start.elapsed() <= Duration::from_secs(61), "{:?}", start.elapsed());
    connect(url, &options).await.unwrap();
    serving.abort();
}
