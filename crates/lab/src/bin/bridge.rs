//! Carries WebSockets between HTTP/1.1 and HTTP/2, for test suites that know HTTP/1.1 only:
//! `bridge to-http2 ADDRESS`, or `bridge to-http1 ADDRESS`. The server at the address speaks the version of
//! the name. Prints the URL at which the bridge listens.
//!
//! The bridge converts the heads of the opening handshake. It passes all later bytes unchanged, and it
//! neither reads nor writes frames. FIN becomes END_STREAM, and a TCP reset RST_STREAM, and the other way round. HTTP/2 is that
//! of the `h2` crate, without code of ours.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command prints its results")]

use std::error::Error;
use std::process::ExitCode;

use bytes::{Bytes, BytesMut};
use fullduplex_proto::Limits;
use fullduplex_proto::handshake::head::{HeadReader, encode_request, encode_response};
use fullduplex_proto::handshake::{Answer, Offer};
use h2::client::SendRequest;
use h2::ext::Protocol;
use h2::server::SendResponse;
use h2::{Reason, RecvStream, SendStream};
use http::header::{
    CONNECTION, HOST, HeaderName, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, UPGRADE,
};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Version};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream};

type Failure = Box<dyn Error + Send + Sync>;

const USAGE: &str = "usage: bridge to-http2 ADDRESS, or bridge to-http1 ADDRESS";

/// The headers that HTTP/2 replaces.
const OF_HTTP1: [HeaderName; 5] =
    [CONNECTION, HOST, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, UPGRADE];

/// The sample key of RFC 6455 section 1.3.
const KEY: HeaderValue = HeaderValue::from_static("dGhlIHNhbXBsZSBub25jZQ==");

/// The size of the window of each stream and connection. It is small, so that messages need several.
const WINDOW: u32 = 1 << 16;

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    let [direction @ ("to-http2" | "to-http1"), server] = arguments[..] else {
        eprintln!("{USAGE}");
        return ExitCode::FAILURE;
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let served = runtime.map_err(Failure::from).and_then(|runtime| {
        runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await?;
            println!("listening on ws://{}", listener.local_addr()?);
            match direction {
                "to-http2" => serve_http1(&listener, server).await,
                _ => serve_http2(&listener, server).await,
            }
        })
    });
    if let Err(failure) = served {
        eprintln!("bridge: {failure}");
    }
    ExitCode::FAILURE
}

/// Serves clients of HTTP/1.1. They share one connection to the server.
async fn serve_http1(listener: &TcpListener, server: &str) -> Result<(), Failure> {
    let mut requests = None;
    loop {
        let (client, _) = listener.accept().await?;
        let requests = match requests.clone() {
            Some(requests) => requests,
            None => requests.insert(connect(server).await?).clone(),
        };
        let server = server.to_owned();
        tokio::spawn(async move {
            if let Err(failure) = carry_to_http2(client, requests, &server).await {
                eprintln!("bridge: {failure}");
            }
        });
    }
}

/// Serves clients of HTTP/2. Each of their streams has a connection to the server.
async fn serve_http2(listener: &TcpListener, server: &str) -> Result<(), Failure> {
    loop {
        let (client, _) = listener.accept().await?;
        client.set_nodelay(true)?;
        let server = server.to_owned();
        tokio::spawn(async move {
            let mut builder = h2::server::Builder::new();
            builder.enable_connect_protocol().initial_window_size(WINDOW);
            let mut connection = builder.handshake::<_, Bytes>(client).await?;
            while let Some(accepted) = connection.accept().await {
                let (request, respond) = accepted?;
                let server = server.clone();
                tokio::spawn(async move {
                    if let Err(failure) = carry_to_http1(request, respond, &server).await {
                        eprintln!("bridge: {failure}");
                    }
                });
            }
            Ok::<_, Failure>(())
        });
    }
}

/// Opens the connection to a server of HTTP/2.
async fn connect(server: &str) -> Result<SendRequest<Bytes>, Failure> {
    let stream = TcpStream::connect(server).await?;
    stream.set_nodelay(true)?;
    let mut builder = h2::client::Builder::new();
    let (requests, connection) = builder.initial_window_size(WINDOW).handshake(stream).await?;
    tokio::spawn(connection);
    let mut requests = requests.ready().await?;
    while !requests.is_extended_connect_protocol_enabled() {
        tokio::task::yield_now().await;
        requests = requests.ready().await?;
    }
    Ok(requests)
}

async fn carry_to_http2(
    mut client: TcpStream,
    requests: SendRequest<Bytes>,
    server: &str,
) -> Result<(), Failure> {
    client.set_nodelay(true)?;
    let mut input = BytesMut::new();
    let request = loop {
        if client.read_buf(&mut input).await? == 0 {
            return Ok(()); // the suite tries out whether the port is open
        }
        if let Some(request) = HeadReader::new(Limits::default()).request(&mut input.clone())? {
            break request;
        }
    };
    let rest = after_head(input);
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
    let mut connect = Request::builder()
        .method(Method::CONNECT)
        .version(Version::HTTP_2)
        .uri(format!("http://{server}{path}"))
        .extension(Protocol::from_static("websocket"))
        .body(())?;
    *connect.headers_mut() = without_http1(request.headers());
    let (response, send) = requests.ready().await?.send_request(connect, false)?;
    let (head, recv) = response.await?.into_parts();
    if head.status != StatusCode::OK {
        return Err(format!("the server answered {}", head.status).into());
    }
    let mut response =
        Answer::default().to_response(&Offer::from_request(&request).map_err(|rejection| {
            format!("the client's request is not valid: {}", rejection.status())
        })?);
    response.headers_mut().extend(head.headers);
    let mut bytes = Vec::new();
    encode_response(&response, &mut bytes);
    client.write_all(&bytes).await?;
    carry(client, send, recv, rest).await
}

async fn carry_to_http1(
    request: Request<RecvStream>,
    mut respond: SendResponse<Bytes>,
    server: &str,
) -> Result<(), Failure> {
    let (head, recv) = request.into_parts();
    let is_websocket =
        head.extensions.get::<Protocol>().is_some_and(|it| it.as_str() == "websocket");
    if head.method != Method::CONNECT || !is_websocket {
        return Err("the client did not ask for a WebSocket".into());
    }
    let mut stream = TcpStream::connect(server).await?;
    stream.set_nodelay(true)?;
    let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
    let mut request = Request::get(path).body(())?;
    *request.headers_mut() = without_http1(&head.headers);
    for (name, value) in [
        (HOST, HeaderValue::from_str(server)?),
        (CONNECTION, HeaderValue::from_static("Upgrade")),
        (UPGRADE, HeaderValue::from_static("websocket")),
        (SEC_WEBSOCKET_KEY, KEY),
    ] {
        request.headers_mut().insert(name, value);
    }
    let mut bytes = Vec::new();
    encode_request(&request, &mut bytes);
    stream.write_all(&bytes).await?;
    let mut input = BytesMut::new();
    let head = loop {
        if stream.read_buf(&mut input).await? == 0 {
            return Err("the server ended the opening handshake".into());
        }
        if let Some(response) = HeadReader::new(Limits::default()).response(&mut input.clone())? {
            break response;
        }
    };
    if head.status() != StatusCode::SWITCHING_PROTOCOLS {
        return Err(format!("the server answered {}", head.status()).into());
    }
    let mut response = Response::new(());
    *response.headers_mut() = without_http1(head.headers());
    let mut send = respond.send_response(response, false)?;
    send_all(&mut send, after_head(input).freeze()).await?;
    carry(stream, send, recv, BytesMut::new()).await
}

/// Returns the bytes after a complete head.
fn after_head(mut input: BytesMut) -> BytesMut {
    let end = input.windows(4).position(|bytes| bytes == b"\r\n\r\n");
    input.split_off(end.map_or(input.len(), |end| end + 4))
}

fn without_http1(headers: &HeaderMap) -> HeaderMap {
    let mut headers = headers.clone();
    for name in OF_HTTP1 {
        headers.remove(name);
    }
    headers
}

/// Passes bytes both ways, until both ways have ended or one was reset. `rest` was read from `tcp` before.
async fn carry(
    mut tcp: TcpStream,
    mut send: SendStream<Bytes>,
    mut recv: RecvStream,
    rest: BytesMut,
) -> Result<(), Failure> {
    let (read, write) = tcp.split();
    let outcome = tokio::try_join!(to_http2(read, &mut send, rest), to_http1(&mut recv, write));
    if outcome.is_err() {
        tcp.set_zero_linger().ok();
        send.send_reset(Reason::CANCEL);
    }
    Ok(())
}

async fn to_http2(
    mut tcp: ReadHalf<'_>,
    send: &mut SendStream<Bytes>,
    rest: BytesMut,
) -> Result<(), Failure> {
    send_all(send, rest.freeze()).await?;
    loop {
        let mut bytes = BytesMut::with_capacity(1 << 14);
        if tcp.read_buf(&mut bytes).await? == 0 {
            return Ok(send.send_data(Bytes::new(), true)?);
        }
        send_all(send, bytes.freeze()).await?;
    }
}

async fn to_http1(recv: &mut RecvStream, mut tcp: WriteHalf<'_>) -> Result<(), Failure> {
    while let Some(bytes) = recv.data().await {
        let bytes = bytes?;
        tcp.write_all(&bytes).await?;
        recv.flow_control().release_capacity(bytes.len())?;
    }
    Ok(tcp.shutdown().await?)
}

/// Sends all bytes as the windows allow.
async fn send_all(send: &mut SendStream<Bytes>, mut bytes: Bytes) -> Result<(), Failure> {
    while !bytes.is_empty() {
        send.reserve_capacity(bytes.len());
        let room = std::future::poll_fn(|cx| send.poll_capacity(cx)).await;
        let room = room.ok_or("the stream has ended")??;
        send.send_data(bytes.split_to(room.min(bytes.len())), false)?;
    }
    Ok(())
}
