//! A server that speaks HTTP/2 beside HTTP/1.1.

use std::time::Duration;

use bytes::Bytes;
use fullduplex_lab::script::{CLOSE, FIN, TEXT, close_frame, frame, guarded, masked_frame};
use fullduplex_lab::served::Served;
use fullduplex_net::proto::handshake::{Rejection, Subprotocols};
use fullduplex_net::{
    AcceptOptions, HandlerResult, Http2Options, Request, Server, ServerOptions, connect,
};
use h2::Reason;
use h2::ext::Protocol;
use http::{Method, StatusCode};
use tokio::sync::mpsc;

use super::raw::{Client, get, opening, serve};

async fn echo(request: Request) -> HandlerResult {
    let mut socket = request.accept().await?;
    while let Some(message) = socket.recv().await? {
        socket.send(message).await?;
    }
    Ok(())
}

async fn echo_server() -> Served {
    serve(ServerOptions::default(), Http2Options::default(), echo).await
}

/// RFC8441-3-1, RFC8441-5-6, RFC8441-5-7: a stream opens, carries messages, closes, and ends with END_STREAM.
#[tokio::test]
async fn a_websocket_is_a_stream() {
    let served = echo_server().await;
    let mut client = Client::connect(&served).await;
    let mut stream = client.open().await;
    stream.send(masked_frame(FIN | TEXT, "hello"));
    stream.expect(frame(FIN | TEXT, "hello")).await;
    stream.send(masked_frame(FIN | CLOSE, 1000u16.to_be_bytes()));
    stream.expect(close_frame(1000, "")).await;
    stream.expect_end().await;
    stream.send.send_data(Bytes::new(), true).unwrap();
    served.until(|counts| counts.closed.values().sum::<u64>() == 1).await;
}

#[tokio::test]
async fn http_1_1_is_served_on_the_same_port() {
    let served = echo_server().await;
    let url = format!("ws://{}/", served.address());
    let (mut socket, _) = connect(url, &Default::default()).await.unwrap();
    socket.send("hello").await.unwrap();
    assert_eq!(socket.recv().await.unwrap(), Some("hello".into()));
    let mut client = Client::connect(&served).await;
    client.open().await;
    // The connection of HTTP/2 counts, and its stream.
    served.until_open(3).await;
}

/// RFC8441-5-5: the request of a handler has the target, the headers and the offers of the client.
#[tokio::test]
async fn a_handler_sees_the_request() {
    let (seen, mut requests) = mpsc::unbounded_channel();
    let accept = AcceptOptions::default().subprotocols(Subprotocols::new(["superchat"]).unwrap());
    let options = ServerOptions::default().accept(accept);
    let served = serve(options, Http2Options::default(), move |request| {
        seen.send(request.http_request().clone()).unwrap();
        echo(request)
    })
    .await;
    let mut client = Client::connect(&served).await;
    let mut request = opening();
    for (name, value) in [
        ("sec-websocket-protocol", "chat, superchat"),
        ("cookie", "a=b"),
        ("cookie", "c=d"),
        ("origin", "http://localhost"),
    ] {
        request.headers_mut().append(name, value.parse().unwrap());
    }
    let stream = client.request(request, false).await;
    assert_eq!(stream.response.headers()["sec-websocket-protocol"], "superchat");
    let seen = requests.recv().await.unwrap();
    assert_eq!(seen.uri(), "http://localhost/chat?a=b");
    assert_eq!(seen.headers()["cookie"], "a=b; c=d");
}

/// RFC8441-8-1: frames of a client are masked, and a violation has the same close code.
#[tokio::test]
async fn a_violation_closes_the_stream_only() {
    let served = echo_server().await;
    let mut client = Client::connect(&served).await;
    let mut other = client.open().await;
    let mut stream = client.open().await;
    stream.send(frame(FIN | TEXT, "not masked"));
    let close = stream.read(4).await;
    assert_eq!((close[0], &close[2..]), (FIN | CLOSE, &1002u16.to_be_bytes()[..]));
    other.send(masked_frame(FIN | TEXT, "hello"));
    other.expect(frame(FIN | TEXT, "hello")).await;
}

/// RFC8441-4-3, RFC8441-5-1, RFC9220-3-2
#[tokio::test]
async fn requests_that_open_no_websocket_are_refused() {
    let served = echo_server().await;
    let mut client = Client::connect(&served).await;
    let mut other_protocol = opening();
    other_protocol.extensions_mut().insert(Protocol::from_static("connect-ip"));
    let mut tunnel = opening();
    tunnel.extensions_mut().remove::<Protocol>();
    *tunnel.uri_mut() = "localhost:80".parse().unwrap();
    let mut foreign = opening();
    foreign.headers_mut().insert("origin", "https://evil.example".parse().unwrap());
    let mut rebound = opening();
    *rebound.uri_mut() = "http://evil.example/".parse().unwrap();
    for (request, status) in
        [(other_protocol, 501), (tunnel, 501), (foreign, 403), (rebound, 421), (get("/"), 405)]
    {
        let stream = client.request(request, false).await;
        assert_eq!(stream.response.status(), status);
        assert!(!stream.response.headers().contains_key("connection"));
        assert_ne!(stream.read_to_end().await, "");
    }
    client.open().await;
}

/// The fallback answers over HTTP/2, and leaves the connection open.
#[tokio::test]
async fn pages_are_answered_over_http2() {
    const PAGE: usize = 100_000;
    let server = Server::bind("127.0.0.1:0", ServerOptions::default()).await.unwrap();
    let server = server.with_http2(Http2Options::default()).with_fallback(|request| {
        let found = request.uri().path() == "/page";
        found.then(|| http::Response::new(Bytes::from(vec![b'x'; PAGE])))
    });
    let served = Served::from_server(server, echo);
    let mut client = Client::connect(&served).await;
    let mut stream = client.request(get("/page"), true).await;
    assert_eq!(stream.response.status(), 200);
    assert_eq!(stream.response.headers()["content-length"], PAGE.to_string());
    assert_eq!(stream.read(PAGE).await, [b'x'; PAGE]);
    stream.expect_end().await;
    let mut head = get("/page");
    *head.method_mut() = Method::HEAD;
    let stream = client.request(head, true).await;
    assert_eq!(stream.response.headers()["content-length"], PAGE.to_string());
    assert_eq!(stream.read_to_end().await, "");
    let missing = client.request(get("/missing"), true).await;
    assert_eq!(missing.response.status(), StatusCode::METHOD_NOT_ALLOWED);
    client.open().await;
}

#[tokio::test]
async fn a_handler_may_reject_a_request() {
    let served = serve(ServerOptions::default(), Http2Options::default(), |request| async {
        match request.uri().path() {
            "/chat" => request.reject(Rejection::new(StatusCode::UNAUTHORIZED, "log in")).await?,
            _ => drop(request),
        }
        Ok(())
    })
    .await;
    let mut client = Client::connect(&served).await;
    let rejected = client.request(opening(), false).await;
    assert_eq!(rejected.response.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(rejected.read_to_end().await, "log in\n");
    let mut request = opening();
    *request.uri_mut() = "http://localhost/dropped".parse().unwrap();
    let dropped = client.request(request, false).await;
    assert_eq!(dropped.response.status(), StatusCode::INTERNAL_SERVER_ERROR);
}

/// RFC8441-5-7: RST_STREAM with CANCEL ends the connection without a Close.
#[tokio::test]
async fn a_reset_of_the_client_ends_the_connection() {
    let served = echo_server().await;
    let mut client = Client::connect(&served).await;
    let mut stream = client.open().await;
    stream.send(masked_frame(FIN | TEXT, "hello"));
    stream.expect(frame(FIN | TEXT, "hello")).await;
    stream.send.send_reset(Reason::CANCEL);
    served.until(|counts| counts.closed.get(&1006) == Some(&1)).await;
}

/// Accepts a socket, and never receives. `/echo` echoes.
async fn echo_or_wait(request: Request) -> HandlerResult {
    match request.uri().path() {
        "/echo" => echo(request).await,
        _ => {
            let _socket = request.accept().await?;
            std::future::pending().await
        }
    }
}

fn opening_echo() -> http::Request<()> {
    let mut request = opening();
    *request.uri_mut() = "http://localhost/echo".parse().unwrap();
    request
}

/// A socket that is not read holds up no other, although its peer has sent all that its window allows.
#[tokio::test]
async fn a_socket_that_is_not_read_holds_up_no_other() {
    const STREAMS: u32 = 4;
    const WINDOW: u32 = 64 << 10;
    let options = Http2Options { streams: STREAMS, stream_window: WINDOW, ..Default::default() };
    let served = serve(ServerOptions::default(), options, echo_or_wait).await;
    let mut client = Client::connect(&served).await;
    let mut unread = Vec::new();
    for _ in 1..STREAMS {
        let mut stream = client.open().await;
        // The handler's socket takes some before the window is full.
        stream.send.reserve_capacity(1 << 20);
        stream.send(masked_frame(FIN | TEXT, vec![b'x'; 1 << 20]));
        unread.push(stream);
    }
    let mut stream = client.request(opening_echo(), false).await;
    for _ in 0..20 {
        stream.send(masked_frame(FIN | TEXT, vec![b'y'; 50_000]));
        stream.expect(frame(FIN | TEXT, vec![b'y'; 50_000])).await;
    }
    drop(unread);
}

/// `h2` ends a connection with too many small frames that are not read. Messages that fit into the windows are
/// never too many.
#[tokio::test]
async fn small_messages_that_are_not_read_hold_up_no_other() {
    const MESSAGES: usize = (64 << 10) / 14;
    let served = serve(ServerOptions::default(), Http2Options::default(), echo_or_wait).await;
    let mut client = Client::connect(&served).await;
    let mut unread = Vec::new();
    for _ in 0..16 {
        let mut stream = client.open().await;
        for _ in 0..MESSAGES {
            stream.send(masked_frame(FIN | TEXT, [b'x'; 8]));
        }
        unread.push(stream);
    }
    let mut stream = client.request(opening_echo(), false).await;
    for _ in 0..20 {
        stream.send(masked_frame(FIN | TEXT, [b'y'; 8]));
        stream.expect(frame(FIN | TEXT, [b'y'; 8])).await;
    }
    drop(unread);
}

/// A stream occupies a place, as a connection does. A client without a place is refused, and may try again.
#[tokio::test]
async fn streams_count_as_connections() {
    let options = ServerOptions::default().connections_per_address(3);
    let served = serve(options, Http2Options::default(), echo).await;
    let mut client = Client::connect(&served).await;
    let first = client.open().await;
    let _second = client.open().await;
    let refused = client.request(opening(), false).await;
    assert_eq!(refused.response.status(), StatusCode::TOO_MANY_REQUESTS);
    drop(first);
    served.until_open(2).await;
    client.open().await;
}

#[tokio::test]
async fn more_streams_than_allowed_are_refused() {
    let options = Http2Options::default().streams(2);
    let served = serve(ServerOptions::default(), options, echo).await;
    let mut client = Client::connect(&served).await;
    let streams = [client.open().await, client.open().await];
    assert_eq!(client.requests.current_max_send_streams(), 2);
    drop(streams);
    client.open().await;
}

#[test]
fn options_are_fields_and_methods() {
    let fields = Http2Options { stream_window: 1 << 20, ..Default::default() };
    let methods = Http2Options::default().stream_window(1 << 20);
    assert_eq!(format!("{fields:?}"), format!("{methods:?}"));
}

/// RFC8441-5-7: a shutdown closes each socket with 1001, sends GOAWAY, and ends the connection.
#[tokio::test]
async fn a_shutdown_closes_the_sockets_and_sends_goaway() {
    let served = echo_server().await;
    let mut client = Client::connect(&served).await;
    let mut stream = client.open().await;
    let closing = async {
        stream.expect(close_frame(1001, "")).await;
        stream.send(masked_frame(FIN | CLOSE, 1001u16.to_be_bytes()));
        stream.expect_end().await;
        stream.send.send_data(Bytes::new(), true).unwrap();
        drop(stream);
        guarded("the end of the connection", client.task).await.unwrap().unwrap();
    };
    let (drained, ()) = tokio::join!(served.shutdown(Duration::from_secs(20)), closing);
    assert_eq!((drained.closed, drained.cut), (2, 0));
}

/// A connection without streams ends, and one with a stream does not.
#[tokio::test]
async fn a_connection_without_streams_ends() {
    let options = Http2Options::default().idle_timeout(Duration::from_secs(1));
    let served = serve(ServerOptions::default(), options, echo).await;
    let mut busy = Client::connect(&served).await;
    let mut stream = busy.open().await;
    let idle = Client::connect(&served).await;
    guarded("the end of the connection", idle.task).await.unwrap().unwrap();
    stream.send(masked_frame(FIN | TEXT, "hello"));
    stream.expect(frame(FIN | TEXT, "hello")).await;
}
