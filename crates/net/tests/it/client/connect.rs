//! Typical first uses of `connect`: text as the URL, options in both forms, the response.

use std::time::Duration;

use fullduplex_lab::echo;
use fullduplex_lab::script::{Peer, answer_to};
use fullduplex_net::proto::Url;
use fullduplex_net::{
    ConnectConcurrency, ConnectError, ConnectOptions, Server, ServerOptions, Tls, connect,
    connect_over,
};

/// Starts an echo server on a free port. Returns its URL.
async fn echo_server() -> String {
    let server = Server::bind("127.0.0.1:0", ServerOptions::default()).await.unwrap();
    let url = format!("ws://{}/", server.local_addr().unwrap());
    tokio::spawn(server.serve(echo::requests));
    url
}

#[tokio::test]
async fn every_form_of_a_url_connects() {
    let text = echo_server().await;
    let url = Url::parse(&text).unwrap();
    let uri: http::Uri = text.parse().unwrap();
    let options = ConnectOptions::default();
    connect(&text[..], &options).await.unwrap();
    connect(&text, &options).await.unwrap();
    connect(text, &options).await.unwrap();
    connect(&url, &options).await.unwrap();
    connect(url, &options).await.unwrap();
    connect(&uri, &options).await.unwrap();
    let (mut socket, _response) = connect(uri, &options).await.unwrap();
    socket.send("hello").await.unwrap();
    assert_eq!(socket.recv().await.unwrap(), Some("hello".into()));
}

/// RFC6455-4.1-2.
#[tokio::test]
async fn an_invalid_url_has_its_own_error() {
    let error = connect("localhost:9001", &ConnectOptions::new()).await.unwrap_err();
    assert!(matches!(error, ConnectError::Url(_)), "{error:?}");
}

/// FC-04.
#[tokio::test]
async fn connect_returns_the_headers_of_the_response() {
    let (_socket, response) = connect(echo_server().await, &ConnectOptions::new()).await.unwrap();
    assert_eq!(response.status(), http::StatusCode::SWITCHING_PROTOCOLS);
    assert!(response.headers().contains_key("sec-websocket-accept"));
}

/// FC-11: `connect` does not wait for another unfinished connection to the same address.
#[tokio::test]
async fn connections_to_one_address_do_not_wait_for_each_other() {
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/", silent.local_addr().unwrap());
    let options = ConnectOptions::new();
    let first = connect(&url, &options);
    let second = connect(&url, &options);
    let both_arrive = async {
        let first = silent.accept().await.unwrap();
        (first, silent.accept().await.unwrap())
    };
    tokio::select! {
        _ = async { tokio::join!(first, second) } => panic!("the server does not answer"),
        _ = both_arrive => {}
        () = tokio::time::sleep(Duration::from_secs(10)) => panic!("the second connection waits"),
    }
}

#[test]
fn options_are_fields_and_methods() {
    let tls = Tls::builder().danger_accept_any_certificate().build().unwrap();
    let timeout = Duration::from_secs(3);
    let fields = ConnectOptions {
        tls: Some(tls.clone()),
        connect_timeout: timeout,
        handshake_timeout: timeout,
        concurrency: ConnectConcurrency::OnePerAddress,
        ..Default::default()
    };
    let methods = ConnectOptions::new()
        .tls(tls)
        .connect_timeout(timeout)
        .handshake_timeout(timeout)
        .concurrency(ConnectConcurrency::OnePerAddress);
    assert_eq!(format!("{fields:?}"), format!("{methods:?}"));
}

#[test]
fn headers_are_added_by_name_and_value() {
    let options = ConnectOptions::new()
        .header("X-Tag", "1")
        .and_then(|options| options.header("X-Tag", "2"))
        .and_then(|options| options.header(http::header::AUTHORIZATION, "Bearer hunter2"))
        .unwrap();
    let tags: Vec<_> = options.headers.get_all("x-tag").iter().collect();
    assert_eq!(tags, ["1", "2"]);
    assert!(!format!("{options:?}").contains("hunter2"), "Debug hides secrets");
    let error = ConnectOptions::new().header("Sec-WebSocket-Key", "x").unwrap_err();
    assert_eq!(
        error.to_string(),
        "could not add the header `Sec-WebSocket-Key`: the opening handshake sets it; use the \
         option for it, or leave it out"
    );
}

/// FC-02, FC-14: header names have the usual capitals, and the caller may set `Host`.
#[tokio::test]
async fn the_request_has_the_usual_capitals_and_a_given_host() {
    let options = ConnectOptions::new().deflate(None);
    let options = options.header("x-tag", "1").and_then(|options| options.header("HOST", "a.b:1"));
    let (client, server) = tokio::io::duplex(4096);
    let client = tokio::spawn(async move {
        connect_over(client, "ws://server.example/", &options.unwrap()).await.map(|_| ())
    });
    let mut server = Peer::over(server);
    let request = server.read_head().await;
    let names: Vec<_> =
        request.lines().skip(1).map(|line| line.split(':').next().unwrap_or_default()).collect();
    for name in
        ["Host", "Upgrade", "Connection", "Sec-WebSocket-Version", "Sec-WebSocket-Key", "X-Tag"]
    {
        assert_eq!(names.iter().filter(|other| **other == name).count(), 1, "{name}: {request}");
    }
    assert!(request.contains("Host: a.b:1\r\n"), "{request}");
    // FC-14: the client does not wait for a body.
    let lines = [
        "HTTP/1.1 101 Switching Protocols",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Accept: {accept}",
        "Transfer-Encoding: chunked",
    ];
    server.send(answer_to(&request, &lines)).await;
    client.await.unwrap().unwrap();
}
