//! `fdx tap` between clients and servers that speak HTTP/2.
#![allow(clippy::unwrap_used, reason = "a test may end by a panic")]

mod support;
#[path = "support/tapping.rs"]
mod tapping;

use bytes::Bytes;
use fullduplex_lab::ca::{Authority, Validity};
use fullduplex_lab::echo;
use fullduplex_lab::folder::Folder;
use fullduplex_lab::script::{FIN, TEXT, frame, guarded, masked_frame};
use fullduplex_net::proto::Timeouts;
use fullduplex_net::{ConnectError, ConnectOptions, Http, Socket, connect};
use h2::client::SendRequest;
use h2::ext::Protocol;
use h2::server::SendResponse;
use h2::{Reason, RecvStream, SendStream};
use http::{Method, Request, Response, StatusCode, Version};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use tapping::Tap;

fn http2() -> ConnectOptions {
    ConnectOptions::new().http(Http::Two)
}

async fn exchange(socket: &mut Socket, text: &str) {
    guarded("a message to send", socket.send(text)).await.unwrap();
    let message = guarded("the echo", socket.recv()).await.unwrap();
    assert_eq!(message, Some(text.into()));
}

/// Returns the values of a name in the events of a stream.
fn of_stream(events: &[Value], stream: u32, name: &str) -> Vec<Value> {
    let of_it = events.iter().filter(|event| event["stream"] == stream && !event[name].is_null());
    of_it.map(|event| event[name].clone()).collect()
}

/// Returns the events up to one that `is_last` accepts.
fn until(tap: &mut Tap, is_last: impl Fn(&Value) -> bool) -> Vec<Value> {
    let mut events = Vec::new();
    while events.last().is_none_or(|event| !is_last(event)) {
        events.push(tap.events.next().unwrap());
    }
    events
}

fn is(event: &Value, name: &str, stream: Option<u32>) -> bool {
    event["event"] == name && event["stream"] == json!(stream)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_frames_of_each_stream_are_shown() {
    let port = echo::start_http2(None, Timeouts::default());
    let mut tap = Tap::start(&format!("ws://127.0.0.1:{port}/"), &["--header", "X-Of: user"]);
    let url = format!("ws://{}/chat?a=b", tap.address);
    let options = http2();
    let (mut one, _) = guarded("a socket", connect(&url, &options)).await.unwrap();
    let (mut two, _) = guarded("a socket", connect(&url, &options)).await.unwrap();
    // Messages that are long enough to be compressed.
    let [of_one, of_two] = ["of one, ", "of two, "].map(|text| text.repeat(64));
    exchange(&mut one, &of_one).await;
    exchange(&mut two, &of_two).await;
    assert!(guarded("the end", one.close(None)).await.unwrap().was_clean());
    assert!(guarded("the end", two.close(None)).await.unwrap().was_clean());
    let mut overs = 0;
    let mut events = Vec::new();
    while overs < 2 {
        let event = tap.events.next().unwrap();
        overs += u32::from(event["event"] == "over");
        events.push(event);
    }
    assert!(events.iter().all(|event| event["connection"] == 1), "{events:?}");
    for (stream, text) in [(1, &of_one), (3, &of_two)] {
        assert_eq!(of_stream(&events, stream, "method"), ["CONNECT"]);
        assert_eq!(of_stream(&events, stream, "protocol"), ["websocket"]);
        assert_eq!(of_stream(&events, stream, "target"), ["/chat?a=b"]);
        assert_eq!(of_stream(&events, stream, "status"), [200]);
        assert_eq!(of_stream(&events, stream, "text")[..2], [&**text, text]);
        assert_eq!(of_stream(&events, stream, "compressed")[..2], [true, true]);
        assert_eq!(of_stream(&events, stream, "violation"), [Value::Null; 0]);
        let names = of_stream(&events, stream, "event");
        assert_eq!(names.iter().filter(|name| **name == "end").count(), 2, "{names:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_with_tls_agrees_on_http2() {
    let (authority, folder) = (Authority::new(), Folder::new());
    let identity = authority.issue(&["localhost"], Validity::Now);
    let ca = folder.write("ca.pem", &authority.root_pem());
    let port = echo::start_http2(Some(&identity), Timeouts::default());
    let url = format!("wss://localhost:{port}/");
    let mut tap = Tap::start(&url, &["--ca", ca.to_str().unwrap()]);
    let url = format!("ws://{}/", tap.address);
    let (mut socket, _) = guarded("a socket", connect(url, &http2())).await.unwrap();
    exchange(&mut socket, "secret").await;
    let events = until(&mut tap, |event| event["from"] == "server" && event["text"] == "secret");
    assert_eq!(of_stream(&events, 1, "status"), [200]);
}

/// A client over HTTP/2 needs a server over HTTP/2.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_with_tls_and_without_http2_is_an_error() {
    let (authority, folder) = (Authority::new(), Folder::new());
    let identity = authority.issue(&["localhost"], Validity::Now);
    let ca = folder.write("ca.pem", &authority.root_pem());
    let port = echo::start(Some(&identity));
    let url = format!("wss://localhost:{port}/");
    let mut tap = Tap::start(&url, &["--ca", ca.to_str().unwrap()]);
    let url = format!("ws://{}/", tap.address);
    guarded("an error", connect(url, &http2())).await.unwrap_err();
    let failed = tap.events.next().unwrap();
    assert!(failed["error"].as_str().unwrap().contains("HTTP/2"), "{failed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn rejections_and_pages_pass() {
    let port = echo::start_http2(None, Timeouts::default());
    let mut tap = Tap::start(&format!("ws://127.0.0.1:{port}/"), &[]);
    let url = format!("ws://{}/refused", tap.address);
    match guarded("a rejection", connect(url, &http2())).await.unwrap_err() {
        ConnectError::Rejected(rejected) => assert_eq!(rejected.status, 404),
        error => panic!("{error}"),
    }
    let mut client = Client::connect(&tap).await;
    let page = format!("http://{}/trials.mjs", tap.address);
    let request = Request::get(page).version(Version::HTTP_2).body(()).unwrap();
    let (response, _) = client.requests.send_request(request, true).unwrap();
    let response = guarded("a page", response).await.unwrap();
    assert_eq!(response.headers()["content-type"], "text/javascript; charset=utf-8");
    let mut body = response.into_body();
    let mut bytes = 0;
    while let Some(data) = guarded("the page", body.data()).await {
        bytes += data.unwrap().len();
        body.flow_control().release_capacity(bytes).ok();
    }
    let events = until(&mut tap, |event| event["connection"] == 2 && is(event, "over", Some(1)));
    assert_eq!(events.last().unwrap()["server"], json!({ "frames": 0, "bytes": bytes }));
    assert!(bytes > 1000, "{bytes}");
}

/// FK-05: no web page may use the tap under another host name.
#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_host_is_rejected() {
    let port = echo::start_http2(None, Timeouts::default());
    let tap = Tap::start(&format!("ws://127.0.0.1:{port}/"), &[]);
    let mut client = Client::connect(&tap).await;
    let response = client.open("evil.example").await.0;
    assert_eq!(response.status(), StatusCode::MISDIRECTED_REQUEST);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reset_by_the_client_passes() {
    let (server, mut tap) = tapped().await;
    let mut client = Client::connect(&tap).await;
    let serving = tokio::spawn(async move {
        let (_request, mut stream) = server.await.unwrap();
        let mut to_client = stream.accept().await;
        assert_eq!(to_client.read().await, masked_frame(FIN | TEXT, "last words"));
        guarded("the reset", to_client.recv.data()).await.unwrap().unwrap_err().reason()
    });
    let (_, mut stream) = client.open(&tap.address).await;
    stream.send.send_data(masked_frame(FIN | TEXT, "last words").into(), false).unwrap();
    until(&mut tap, |event| event["text"] == "last words");
    stream.send.send_reset(Reason::INTERNAL_ERROR);
    assert_eq!(serving.await.unwrap(), Some(Reason::INTERNAL_ERROR));
    let events = until(&mut tap, |event| is(event, "over", Some(1)));
    let broken = events.iter().find(|event| event["event"] == "broken").unwrap();
    assert_eq!(
        (&broken["from"], &broken["error"]),
        (&json!("client"), &json!("RST_STREAM INTERNAL_ERROR"))
    );
}

/// What the server sends before RST_STREAM reaches the client.
#[tokio::test(flavor = "multi_thread")]
async fn a_reset_by_the_server_passes_after_its_frames() {
    let (server, mut tap) = tapped().await;
    let mut client = Client::connect(&tap).await;
    let serving = tokio::spawn(async move {
        let (_request, mut stream) = server.await.unwrap();
        let mut to_client = stream.accept().await;
        let words = frame(FIN | TEXT, "last words");
        to_client.send.send_data(words.into(), false).unwrap();
        // The reset would discard what is queued.
        assert_eq!(to_client.read().await, masked_frame(FIN | TEXT, "go on"));
        to_client.send.send_reset(Reason::ENHANCE_YOUR_CALM);
        // The connection stays open until the client has ended.
        guarded("the end", stream.connection).await.unwrap();
    });
    let (_, mut stream) = client.open(&tap.address).await;
    assert_eq!(stream.read().await, frame(FIN | TEXT, "last words"));
    stream.send.send_data(masked_frame(FIN | TEXT, "go on").into(), false).unwrap();
    let end = guarded("the reset", stream.recv.data()).await.unwrap();
    assert_eq!(end.unwrap_err().reason(), Some(Reason::ENHANCE_YOUR_CALM));
    let events = until(&mut tap, |event| is(event, "over", Some(1)));
    let broken = events.iter().find(|event| event["event"] == "broken").unwrap();
    assert_eq!(
        (&broken["from"], &broken["error"]),
        (&json!("server"), &json!("RST_STREAM ENHANCE_YOUR_CALM"))
    );
    drop((stream, client));
    serving.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn goaway_passes_and_open_streams_continue() {
    let (server, mut tap) = tapped().await;
    let mut client = Client::connect(&tap).await;
    let serving = tokio::spawn(async move {
        let (_request, mut stream) = server.await.unwrap();
        let mut to_client = stream.accept().await;
        stream.goaway.send(()).unwrap();
        assert_eq!(to_client.read().await, masked_frame(FIN | TEXT, "still here"));
        to_client.send.send_data(Bytes::new(), true).unwrap();
        guarded("the end", stream.connection).await.unwrap();
    });
    let (_, mut stream) = client.open(&tap.address).await;
    let events = until(&mut tap, |event| event["event"] == "goaway");
    let goaway = events.last().unwrap();
    assert_eq!((&goaway["from"], &goaway["reason"]), (&json!("server"), &json!("NO_ERROR")));
    stream.send.send_data(masked_frame(FIN | TEXT, "still here").into(), true).unwrap();
    // The frame with END_STREAM is empty.
    while let Some(data) = guarded("END_STREAM", stream.recv.data()).await {
        assert_eq!(data.unwrap(), "");
    }
    drop(stream);
    // GOAWAY reached the client too, so its connection ends.
    guarded("the end", client.task).await.unwrap().unwrap();
    serving.await.unwrap();
    let events = until(&mut tap, |event| is(event, "over", None));
    assert_eq!(events.last().unwrap()["client"]["frames"], 1);
}

/// A client of the `h2` crate, which sends frames of its own.
struct Client {
    requests: SendRequest<Bytes>,
    task: JoinHandle<Result<(), h2::Error>>,
}

struct Stream {
    send: SendStream<Bytes>,
    recv: RecvStream,
}

impl Client {
    async fn connect(tap: &Tap) -> Self {
        let stream = TcpStream::connect(&tap.address).await.unwrap();
        let (requests, connection) = h2::client::handshake(stream).await.unwrap();
        let client = Self { requests, task: tokio::spawn(connection) };
        let enabled = async {
            while !client.requests.is_extended_connect_protocol_enabled() {
                tokio::task::yield_now().await;
            }
        };
        guarded("SETTINGS_ENABLE_CONNECT_PROTOCOL", enabled).await;
        client
    }

    /// Asks for a WebSocket.
    async fn open(&mut self, host: &str) -> (Response<()>, Stream) {
        let mut request = Request::new(());
        *request.method_mut() = Method::CONNECT;
        *request.version_mut() = Version::HTTP_2;
        *request.uri_mut() = format!("http://{host}/").parse().unwrap();
        request.extensions_mut().insert(Protocol::from_static("websocket"));
        request.headers_mut().insert("sec-websocket-version", "13".parse().unwrap());
        let (response, send) = self.requests.send_request(request, false).unwrap();
        let (head, recv) = guarded("a response", response).await.unwrap().into_parts();
        (Response::from_parts(head, ()), Stream { send, recv })
    }
}

impl Stream {
    /// Returns the next bytes.
    async fn read(&mut self) -> Bytes {
        let bytes = guarded("data", self.recv.data()).await.unwrap().unwrap();
        self.recv.flow_control().release_capacity(bytes.len()).unwrap();
        bytes
    }
}

/// A server of the `h2` crate that has received one request.
struct Scripted {
    respond: SendResponse<Bytes>,
    recv: Option<RecvStream>,
    goaway: tokio::sync::oneshot::Sender<()>,
    connection: JoinHandle<()>,
}

impl Scripted {
    async fn accept(&mut self) -> Stream {
        let send = self.respond.send_response(Response::new(()), false).unwrap();
        Stream { send, recv: self.recv.take().unwrap() }
    }
}

/// Starts a server for one request, and a tap before it.
async fn tapped() -> (JoinHandle<(Request<()>, Scripted)>, Tap) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let tap = Tap::start(&format!("ws://{}/", listener.local_addr().unwrap()), &[]);
    let server = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let mut builder = h2::server::Builder::new();
        let mut connection = builder.enable_connect_protocol().handshake(stream).await.unwrap();
        let (request, respond) = connection.accept().await.unwrap().unwrap();
        let (goaway, mut is_asked) = tokio::sync::oneshot::channel();
        let connection = tokio::spawn(async move {
            let mut is_leaving = false;
            loop {
                tokio::select! {
                    asked = &mut is_asked, if !is_leaving => {
                        is_leaving = true;
                        if asked.is_ok() {
                            connection.graceful_shutdown();
                        }
                    }
                    accepted = connection.accept() => match accepted {
                        Some(accepted) => drop(accepted),
                        None => return,
                    }
                }
            }
        });
        let (head, recv) = request.into_parts();
        let scripted = Scripted { respond, recv: Some(recv), goaway, connection };
        (Request::from_parts(head, ()), scripted)
    });
    (server, tap)
}
