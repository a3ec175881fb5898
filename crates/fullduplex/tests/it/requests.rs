//! Extra headers, cookies and redirects of a client.

use std::sync::{Arc, Mutex};

use fullduplex::{Builder, CookieStore, Error, Origin, Ports, WebSocket};
use fullduplex_lab::ca::{Authority, Validity};
use fullduplex_lab::script::{OPENING, Peer, Scripted, close_frame, guarded, script};
use fullduplex_lab::trace::Trace;
use fullduplex_net::proto::Url;
use fullduplex_net::{ConnectError, ConnectOptions, RedirectError, Redirects, Tls, connect};
use http::HeaderValue;
use http::header::{AUTHORIZATION, COOKIE, PROXY_AUTHORIZATION};
use tokio::net::TcpListener;

/// Starts a server that opens the connection with these extra headers, and closes it. Returns the
/// request.
async fn server(headers: &'static [&'static str]) -> Scripted<String> {
    script(async move |mut peer: Peer| {
        let request = peer.answer(&[&OPENING[..], headers].concat()).await;
        peer.send(close_frame(1000, "")).await;
        peer.read_close().await;
        peer.fin().await;
        request
    })
    .await
}

/// Returns the values of a header in the request of this socket.
async fn sent(header: &str, socket: impl FnOnce(&str) -> Builder) -> Vec<String> {
    let server = server(&[]).await;
    let socket = socket(&server.url());
    let (trace, request) = server.record_as(socket).await;
    trace.assert_events(&Trace::OPENED_AND_CLOSED);
    values(&request, header)
}

fn values(request: &str, header: &str) -> Vec<String> {
    let lines = request.lines().filter_map(|line| line.split_once(": "));
    lines
        .filter(|(name, _)| name.eq_ignore_ascii_case(header))
        .map(|(_, value)| value.to_owned())
        .collect()
}

/// RFC6455-4.1-22, RFC6455-4.1-19.
#[tokio::test]
async fn headers_are_added() {
    let twice = |url: &str| {
        WebSocket::builder(url).header("X-Mark", "one").unwrap().header("x-mark", "two").unwrap()
    };
    assert_eq!(sent("x-mark", twice).await, ["one", "two"]);
    let origin = Origin::parse("https://Example.com:443").unwrap();
    let page = |url: &str| WebSocket::builder(url).origin(&origin);
    assert_eq!(sent("origin", page).await, ["https://example.com"]);
    assert!(sent("origin", WebSocket::builder).await.is_empty());
}

/// RFC6455-4.1-12: headers of the handshake and values with line breaks are rejected.
#[test]
fn handshake_headers_cannot_be_replaced_or_injected() {
    for (name, value, reason) in [
        ("Host", "a@b", "the value is not a host"),
        ("sec-websocket-key", "x", "the opening handshake sets it"),
        ("CONNECTION", "close", "the opening handshake sets it"),
        ("Content-Length", "5", "the opening handshake sets it"),
        ("X", "a\r\nY: b", "the value contains a line break"),
        ("X Y", "a", "not a token"),
        ("", "a", "not a token"),
    ] {
        let error = WebSocket::builder("ws://a/").header(name, value).unwrap_err();
        assert!(matches!(error, Error::Header(_)), "{error:?}");
        assert_eq!(error.name(), "SyntaxError");
        assert!(error.to_string().contains(reason), "{error}");
    }
}

/// RFC6455-4.1-22.
#[tokio::test]
async fn credentials_in_the_url_are_sent() {
    let with_user = |user: &'static str| {
        move |url: &str| WebSocket::builder(&url.replace("ws://", &format!("ws://{user}")))
    };
    // "a b" and "c:d".
    assert_eq!(sent("authorization", with_user("a%20b:c%3Ad@")).await, ["Basic YSBiOmM6ZA=="]);
    assert_eq!(sent("authorization", with_user(":@")).await, [""; 0]);
    let bearer = |url: &str| with_user("a:b@")(url).header("Authorization", "Bearer x").unwrap();
    assert_eq!(sent("authorization", bearer).await, ["Bearer x"]);
    let builder = bearer("ws://127.0.0.1:1/").header("Proxy-Authorization", "Bearer y").unwrap();
    let printed = format!("{builder:?} {:?}", builder.clone().open().unwrap());
    let secrets = ["Bearer", "a:b", "\"b\""];
    assert!(!secrets.iter().any(|secret| printed.contains(secret)), "{printed}");
}

/// Returns the same cookies for every request, and records the cookies of the responses.
#[derive(Debug, Default)]
struct Jar {
    heard: Mutex<Vec<(String, Vec<HeaderValue>)>>,
}

impl CookieStore for Jar {
    fn cookies(&self, url: &Url) -> Option<HeaderValue> {
        (url.resource_name() != "/without").then(|| HeaderValue::from_static("a=1; b=2"))
    }

    fn set_cookies(&self, url: &Url, values: &[HeaderValue]) {
        self.heard.lock().unwrap().push((url.to_string(), values.to_vec()));
    }
}

#[tokio::test]
async fn the_cookie_store_is_read_and_updated() {
    let jar = Arc::new(Jar::default());
    let with_jar = |url: &str| WebSocket::builder(url).cookies(Arc::clone(&jar) as _);
    assert_eq!(sent("cookie", with_jar).await, ["a=1; b=2"]);
    let without = |url: &str| with_jar(&format!("{url}without"));
    assert_eq!(sent("cookie", without).await, [""; 0]);
    let own = |url: &str| with_jar(url).header("Cookie", "own").unwrap();
    assert_eq!(sent("cookie", own).await, ["own"]);
    assert!(jar.heard.lock().unwrap().is_empty());

    let server = server(&["Set-Cookie: a=3", "Set-Cookie: c=4; Path=/"]).await;
    let url = server.url();
    let (trace, _) = server.record_as(with_jar(&url)).await;
    trace.assert_events(&Trace::OPENED_AND_CLOSED);
    let values = ["a=3", "c=4; Path=/"].map(HeaderValue::from_static).to_vec();
    assert_eq!(*jar.heard.lock().unwrap(), [(url, values)]);
}

/// Starts a server that redirects to each location in turn, and then opens the connection. Returns
/// the requests.
async fn redirecting(locations: &[String]) -> (String, tokio::task::JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has a free port");
    let url = format!("ws://{}/", listener.local_addr().expect("a bound socket has an address"));
    let locations = locations.to_vec();
    let task = tokio::spawn(async move {
        let mut requests = Vec::new();
        for location in locations {
            let mut peer = Peer::over(listener.accept().await.expect("a client connects").0);
            let location = format!("Location: {location}");
            let moved = ["HTTP/1.1 307 Temporary Redirect", &location, "Content-Length: 0"];
            requests.push(peer.answer(&moved).await);
        }
        let mut peer = Peer::over(listener.accept().await.expect("a client connects").0);
        requests.push(peer.shake_hands().await);
        peer.send(close_frame(1000, "")).await;
        peer.read_close().await;
        peer.fin().await;
        requests
    });
    (url, task)
}

/// RFC6455-4.1-24.
#[tokio::test]
async fn redirects_are_followed_on_request_only() {
    let (url, _server) = redirecting(&["/elsewhere".to_owned()]).await;
    let trace = Trace::record(WebSocket::builder(&url)).await;
    trace.assert_failed(&[], "answered 307 Temporary Redirect");
    trace.assert_failed(&[], r#"it redirects to "/elsewhere", which is not followed"#);

    let locations = ["/one", "two?x#y"].map(str::to_owned);
    let (url, server) = redirecting(&locations).await;
    let url = url.replace("ws://", "ws://u:p@");
    let trace = Trace::record(WebSocket::builder(&url).redirects(2)).await;
    trace.assert_events(&Trace::OPENED_AND_CLOSED);
    let requests = guarded("the end of the server", server).await.unwrap();
    let first_lines: Vec<_> = requests.iter().map(|request| request.lines().next()).collect();
    assert_eq!(
        first_lines,
        ["GET / HTTP/1.1", "GET /one HTTP/1.1", "GET /two?x HTTP/1.1"].map(Some)
    );
    for request in requests {
        assert_eq!(values(&request, "authorization"), ["Basic dTpw"]);
    }

    let locations = ["/one", "/two", "/three"].map(str::to_owned);
    let (url, _server) = redirecting(&locations).await;
    let trace = Trace::record(WebSocket::builder(&url).redirects(2)).await;
    trace.assert_failed(&[], "the limit of 2 redirects is reached");
}

#[tokio::test]
async fn credentials_are_not_sent_to_another_origin() {
    let (target, last) = redirecting(&[]).await;
    let (url, first) = redirecting(&[target]).await;
    let mut options = ConnectOptions::new().redirects(Redirects::up_to(1));
    options.headers.insert(AUTHORIZATION, HeaderValue::from_static("Bearer x"));
    options.headers.insert(COOKIE, HeaderValue::from_static("secret"));
    options.headers.insert(PROXY_AUTHORIZATION, HeaderValue::from_static("Basic x"));
    options.headers.insert("x-api-key", HeaderValue::from_static("secret"));
    options.headers.insert("host", HeaderValue::from_static("given.example"));
    options.headers.insert("x-mark", HeaderValue::from_static("kept"));
    let url = Url::parse(&url.replace("ws://", "ws://u:p@")).unwrap();
    let (mut socket, _) = connect(&url, &options).await.unwrap();
    assert_eq!(socket.recv().await.unwrap(), None);
    first.abort();
    let requests = guarded("the end of the server", last).await.unwrap();
    assert_eq!(values(&requests[0], "authorization"), [""; 0]);
    assert_eq!(values(&requests[0], "cookie"), [""; 0]);
    assert_eq!(values(&requests[0], "proxy-authorization"), [""; 0]);
    assert_eq!(values(&requests[0], "x-api-key"), [""; 0]);
    assert_ne!(values(&requests[0], "host"), ["given.example"]);
    assert_eq!(values(&requests[0], "x-mark"), ["kept"]);
}

#[tokio::test]
async fn invalid_redirects_are_not_followed() {
    for (location, cause) in [
        ("ftp://a/", "the location `ftp://a/` is not the URL of a WebSocket"),
        ("ws://a b/", "is not the URL of a WebSocket"),
        // A port that browsers block.
        ("ws://127.0.0.1:25/", "does not allow the location `ws://127.0.0.1:25/`"),
    ] {
        let (url, _server) = redirecting(&[location.to_owned()]).await;
        let socket = WebSocket::builder(&url).redirects(5);
        Trace::record(socket).await.assert_failed(&[], cause);
    }
    let (url, _server) = redirecting(&["ws://127.0.0.1:25/".to_owned()]).await;
    let socket = WebSocket::builder(&url).redirects(5).ports(Ports::Any);
    Trace::record(socket).await.assert_failed(&[], "could not connect to 127.0.0.1:25");
}

#[tokio::test]
async fn a_redirect_from_wss_to_ws_is_not_followed() {
    let authority = Authority::new();
    let acceptor = authority.issue(&["localhost"], Validity::Now).acceptor();
    let server = script(async move |peer: Peer| {
        let mut peer = peer.tls(&acceptor).await.unwrap();
        peer.answer(&["HTTP/1.1 302 Found", "Location: http://localhost:1/"]).await;
        peer.fin().await;
    })
    .await;
    let options = ConnectOptions::new()
        .redirects(Redirects::up_to(1))
        .tls(Tls::with_extra_roots(authority.root_pem().as_bytes()).unwrap());
    let url = Url::parse(&server.wss_url("localhost")).unwrap();
    let error = connect(&url, &options).await.unwrap_err();
    let is_insecure = matches!(
        &error,
        ConnectError::Redirect { error: RedirectError::Insecure(location), .. }
            if location == "http://localhost:1/"
    );
    assert!(is_insecure, "{error:?}");
}
