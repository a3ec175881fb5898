//! Echo servers of our own.
//!
//! [`start`] runs one in a thread. It understands the commands of the echo servers in `peers/`, and two
//! more.

use std::future::poll_fn;
use std::net::TcpListener;

use fullduplex_net::proto::handshake::{HostPolicy, OriginPolicy, Rejection, Subprotocols};
use fullduplex_net::proto::{
    CloseCode, CloseFrame, CloseReason, DeflateConfig, Message, Part, Received, Timeouts,
};
use fullduplex_net::{HandlerResult, Http2Options, Request, Server, ServerOptions, Socket};
use http::StatusCode;
use http::header::CONTENT_TYPE;

use crate::ca::Identity;

/// Accepts the request and sends each message back.
pub async fn requests(request: Request) -> HandlerResult {
    messages(request.accept().await?).await
}

/// Sends each message back until the connection ends.
pub async fn messages(mut socket: Socket) -> HandlerResult {
    while let Some(message) = socket.recv().await? {
        socket.send(message).await?;
    }
    Ok(())
}

/// Starts a server on a free port of 127.0.0.1, over TLS if it is given an identity, and returns the
/// port. It runs until the process ends.
///
/// It sends each message back, except for these texts, which are commands:
/// - `close` and `close CODE REASON` close the connection.
/// - `burst N` sends N messages.
/// - `parts N` sends one message in N frames.
/// - `ping PAYLOAD` sends a Ping, and the text `pong PAYLOAD` when the Pong arrives.
///
/// It supports the subprotocols `echo`, `chat` and `superchat`, and answers 404 to `/refused`.
///
/// # Panics
/// If there is no free port.
pub fn start(identity: Option<&Identity>) -> u16 {
    start_with(identity, Timeouts::default())
}

/// Starts the same server as [`start`], with these timeouts.
///
/// # Panics
/// If there is no free port.
pub fn start_with(identity: Option<&Identity>, timeouts: Timeouts) -> u16 {
    start_server(identity, timeouts, |server| server)
}

/// Starts the same server as [`start_with`], which also speaks HTTP/2. It serves the page of the trials in a browser.
///
/// # Panics
/// If there is no free port.
pub fn start_http2(identity: Option<&Identity>, timeouts: Timeouts) -> u16 {
    let file = |request: &http::Request<()>| {
        let (kind, text) = match request.uri().path() {
            "/chromium.html" => ("text/html", include_str!("../peers/chromium.html")),
            "/trials.mjs" => ("text/javascript", include_str!("../peers/trials.mjs")),
            _ => return None,
        };
        let kind = format!("{kind}; charset=utf-8");
        let response = http::Response::builder().header(CONTENT_TYPE, kind);
        Some(response.body(text.into()).expect("the header is valid"))
    };
    start_server(identity, timeouts, move |server| {
        server.with_http2(Http2Options::default()).with_fallback(file)
    })
}

fn start_server(
    identity: Option<&Identity>,
    timeouts: Timeouts,
    configure: impl FnOnce(Server) -> Server + Send + 'static,
) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
    let port = listener.local_addr().expect("a bound socket has an address").port();
    let tls = identity.map(Identity::of_server);
    let mut options = ServerOptions::default();
    options.accept.deflate = Some(DeflateConfig::default());
    options.accept.hosts = HostPolicy::Any;
    options.accept.origins = OriginPolicy::Any;
    options.accept.subprotocols =
        Subprotocols::new(["echo", "chat", "superchat"]).expect("these are names");
    options.accept.timeouts = timeouts;
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("the system has an event queue").block_on(async {
            listener.set_nonblocking(true).expect("a listener can be nonblocking");
            let listener = tokio::net::TcpListener::from_std(listener);
            let mut server = Server::from_listener(listener.expect("there is a runtime"), options);
            if let Some(tls) = &tls {
                server = server.with_tls(tls);
            }
            configure(server).serve(serve).await;
        });
    });
    port
}

async fn serve(request: Request) -> HandlerResult {
    if request.uri().path() == "/refused" {
        let rejection = Rejection::new(StatusCode::NOT_FOUND, "not found");
        return Ok(request.reject(rejection).await?);
    }
    let mut socket = request.accept().await?;
    while let Some(message) = socket.recv().await? {
        let text = match &message {
            Message::Text(text) => text.as_str(),
            Message::Binary(_) => "",
        };
        match text.split_once(' ').unwrap_or((text, "")) {
            ("close", arguments) => close(&mut socket, arguments)?,
            ("burst", count) => {
                for number in 0..count.parse::<u32>()? {
                    socket.feed(number.to_string()).await?;
                }
            }
            ("parts", count) => {
                let count = count.parse::<u32>()?;
                for number in 1..=count {
                    let part = Part { content: number.to_string().into(), last: number == count };
                    socket.send_part(&part).await?;
                }
            }
            ("ping", payload) => ping(&mut socket, payload).await?,
            _ => socket.send(message).await?,
        }
    }
    Ok(())
}

/// Sends a Ping, waits for its Pong and reports it.
async fn ping(socket: &mut Socket, payload: &str) -> HandlerResult {
    socket.ping(payload.as_bytes())?;
    while let Some(event) = poll_fn(|cx| socket.poll_event(cx)).await {
        if matches!(event, Received::Pong(answer) if answer == payload) {
            socket.send(format!("pong {payload}")).await?;
            break;
        }
    }
    Ok(())
}

fn close(socket: &mut Socket, arguments: &str) -> HandlerResult {
    let (code, reason) = arguments.split_once(' ').unwrap_or((arguments, ""));
    if code.is_empty() {
        socket.start_close(None);
    } else {
        let code = CloseCode::new(code.parse()?)?;
        socket.start_close(Some(&CloseFrame { code, reason: CloseReason::new(reason)? }));
    }
    Ok(())
}
