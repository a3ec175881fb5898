//! How a `Server` answers requests that are not WebSocket handshakes.

use bytes::Bytes;
use fullduplex_lab::echo;
use fullduplex_lab::script::{Peer, SAMPLE_REQUEST, guarded};
use fullduplex_lab::served::read_to_end;
use fullduplex_net::proto::Url;
use fullduplex_net::{
    AcceptOptions, ConnectConcurrency, ConnectOptions, Server, ServerOptions, accept, connect,
    connect_transport,
};
use http::header::{CONNECTION, TRANSFER_ENCODING};
use http::{HeaderValue, Response, StatusCode};
use tokio::net::TcpListener;

fn page(request: &http::Request<()>) -> Option<Response<Bytes>> {
    let body = format!("you asked for {}\n", request.uri());
    let mut response = Response::new(Bytes::from(body));
    // The server replaces these headers.
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("keep-alive"));
    response.headers_mut().insert(TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
    match request.uri().path() {
        "/health" => Some(response),
        "/down" => {
            *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
            Some(response)
        }
        _ => None,
    }
}

#[tokio::test]
async fn the_fallback_answers_plain_requests() {
    let server = Server::bind("127.0.0.1:0", ServerOptions::default()).await.unwrap();
    let server = server.with_fallback(page);
    let (address, connections) = (server.local_addr().unwrap(), server.connections().clone());
    tokio::spawn(server.serve(echo::requests));
    let get = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    for (request, status) in [
        (get("/health?deep"), 200),
        (get("/down"), 503),
        (get("/elsewhere"), 426),
        // Requests for another upgrade are not passed to the fallback.
        (SAMPLE_REQUEST.replace("/chat", "/health").replace("websocket", "h2c"), 426),
        (SAMPLE_REQUEST.replace("/chat", "/health").replace("13\r\n", "12\r\n"), 426),
        (get("/health").replace("GET", "POST"), 405),
        (get("/health").replace("Host", "Hos"), 400),
        (SAMPLE_REQUEST.replace("/chat", "/health"), 101),
    ] {
        let mut peer = Peer::connect(address).await;
        // A second request on the connection is not answered.
        let second = if status == 101 { "" } else { "GET / HTTP/1.1\r\n\r\n" };
        peer.send(format!("{request}{second}")).await;
        if status == 101 {
            assert!(guarded("an answer", peer.read_head()).await.starts_with("HTTP/1.1 101 "));
            continue;
        }
        let answer = String::from_utf8(read_to_end(peer).await).unwrap();
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{request}: {answer}");
        assert_eq!(answer.matches("HTTP/1.1").count(), 1, "{answer}");
        assert!(answer.contains("Connection: close"), "{answer}");
        if status == 200 {
            assert!(answer.contains("Content-Length: 27\r\n") && !answer.contains("chunked"));
            assert!(answer.ends_with("\r\n\r\nyou asked for /health?deep\n"), "{answer}");
        }
    }
    let all_counted = async {
        while connections.counts().refused.values().sum::<u64>() < 7 {
            tokio::task::yield_now().await;
        }
    };
    guarded("the last count", all_counted).await;
    let refused = connections.counts().refused;
    assert_eq!((refused[&200], refused[&503], refused[&426]), (1, 1, 3));
    let url = Url::parse(&format!("ws://{address}/health")).unwrap();
    let (mut socket, _) = connect(&url, &ConnectOptions::default()).await.unwrap();
    socket.send("hello").await.unwrap();
    assert_eq!(socket.recv().await.unwrap(), Some("hello".into()));
}

/// `connect_transport` does not wait for the handshake of another connection.
#[tokio::test]
async fn a_transport_is_connected_without_a_handshake() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = Url::parse(&format!("ws://{}/", listener.local_addr().unwrap())).unwrap();
    let options = ConnectOptions::new().concurrency(ConnectConcurrency::OnePerAddress);
    let opening = tokio::spawn({
        let (url, options) = (url.clone(), options.clone());
        async move { connect(&url, &options).await }
    });
    let (unanswered, _) = guarded("the first client", listener.accept()).await.unwrap();
    let ours = guarded("the second client", connect_transport(&url, &options)).await.unwrap();
    let (theirs, _) = listener.accept().await.unwrap();
    let mut client = Peer::over(ours);
    let served = tokio::spawn(async move { accept(theirs, &AcceptOptions::default()).await });
    client.open(SAMPLE_REQUEST).await;
    served.await.unwrap().unwrap();
    accept(unanswered, &AcceptOptions::default()).await.unwrap();
    opening.await.unwrap().unwrap();
}

/// Requests of common health checkers, and the status of the response. FS-04.
#[tokio::test]
async fn health_checks_of_every_form_are_answered() {
    let server = Server::bind("127.0.0.1:0", ServerOptions::default()).await.unwrap();
    let server = server.with_fallback(page);
    let address = server.local_addr().unwrap();
    tokio::spawn(server.serve(echo::requests));
    for (request, status, has_body) in [
        // `option httpchk`, without and with a method, a path and a version.
        ("OPTIONS /health HTTP/1.0\r\n\r\n", 200, true),
        ("GET /health HTTP/1.0\r\n\r\n", 200, true),
        ("HEAD /health HTTP/1.0\r\n\r\n", 200, false),
        ("OPTIONS /health HTTP/1.1\r\nHost: localhost\r\n\r\n", 200, true),
        ("HEAD /health HTTP/1.1\r\nHost: localhost\r\n\r\n", 200, false),
        // `curl -I`, and a Kubernetes probe.
        (
            "HEAD /health HTTP/1.1\r\nHost: localhost:80\r\nUser-Agent: curl/8.5.0\r\nAccept: */*\r\n\r\n",
            200,
            false,
        ),
        (
            "GET /health HTTP/1.1\r\nHost: localhost:80\r\nUser-Agent: kube-probe/1.30\r\nAccept: */*\r\nConnection: close\r\n\r\n",
            200,
            true,
        ),
        // HTTP/1.0 cannot upgrade, and HTTP/1.1 requires exactly one Host header.
        ("GET /health HTTP/1.0\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n", 200, true),
        ("GET /health HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n", 400, true),
        ("HEAD /elsewhere HTTP/1.1\r\nHost: localhost\r\n\r\n", 405, false),
    ] {
        let mut peer = Peer::connect(address).await;
        peer.send(request).await;
        let answer = String::from_utf8(read_to_end(peer).await).unwrap();
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{request}: {answer}");
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.to_ascii_lowercase().contains("content-length: "), "{request}: {answer}");
        assert_eq!(!body.is_empty(), has_body, "{request}: {answer}");
    }
}

/// FS-12: a panic of the fallback is answered with 500. A response that must not have a body is
/// sent without one.
#[tokio::test]
async fn the_fallback_cannot_break_http() {
    let server = Server::bind("127.0.0.1:0", ServerOptions::default()).await.unwrap();
    let server = server.with_fallback(|request| {
        let status = match request.uri().path() {
            "/panic" => panic!("on purpose"),
            "/101" => StatusCode::SWITCHING_PROTOCOLS,
            "/204" => StatusCode::NO_CONTENT,
            _ => StatusCode::NOT_MODIFIED,
        };
        let mut response = Response::new(Bytes::from_static(b"body"));
        *response.status_mut() = status;
        Some(response)
    });
    let (address, connections) = (server.local_addr().unwrap(), server.connections().clone());
    tokio::spawn(server.serve(echo::requests));
    for (path, status, ends_with) in [
        ("/panic", 500, "the server failed\n"),
        ("/101", 500, "the server failed\n"),
        ("/204", 204, "\r\n\r\n"),
        ("/304", 304, "\r\n\r\n"),
    ] {
        let mut peer = Peer::connect(address).await;
        peer.send(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n")).await;
        let answer = String::from_utf8(read_to_end(peer).await).unwrap();
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{path}: {answer}");
        assert!(answer.ends_with(ends_with), "{path}: {answer}");
    }
    guarded("the counts", async {
        while connections.counts().refused != [(204, 1), (304, 1), (500, 2)].into() {
            tokio::task::yield_now().await;
        }
    })
    .await;
}
