//! How a `Server` answers requests that do not ask for a WebSocket.

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
        // Requests for another upgrade do not reach the fallback.
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
