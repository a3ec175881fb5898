//! What a user of `connect` writes first: text as the URL, options in both forms, the response.

use std::time::Duration;

use fullduplex_lab::echo;
use fullduplex_net::proto::Url;
use fullduplex_net::{
    ConnectConcurrency, ConnectError, ConnectOptions, Server, ServerOptions, Tls, connect,
};

/// Serves an echo on a port of its own, and returns its URL.
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
async fn a_bad_url_is_an_error_of_its_own() {
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

/// FC-11: nothing keeps a program from holding an unfinished connection while it opens another.
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
        _ = async { tokio::join!(first, second) } => panic!("nobody answers"),
        _ = both_arrive => {}
        () = tokio::time::sleep(Duration::from_secs(10)) => panic!("the second one waits"),
    }
}

#[test]
fn options_are_fields_and_methods() {
    let tls = Tls::builder().danger_accept_any_certificate().build().unwrap();
    let timeout = Duration::from_secs(3);
    let fields = ConnectOptions {
        tls: Some(tls.clone()),
        connect_timeout: timeout,
        concurrency: ConnectConcurrency::OnePerAddress,
        ..Default::default()
    };
    let methods = ConnectOptions::new()
        .tls(tls)
        .connect_timeout(timeout)
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
