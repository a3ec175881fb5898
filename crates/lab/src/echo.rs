//! Our own echo server, which understands the commands of those of the real peers, and two more.

use std::future::poll_fn;
use std::net::TcpListener;

use fullduplex_net::proto::handshake::{OriginPolicy, Rejection, Subprotocols};
use fullduplex_net::proto::{
    CloseCode, CloseFrame, CloseReason, Deflate, Message, Part, Received, Timeouts,
};
use fullduplex_net::{Outcome, Request, Server, ServerOptions, Socket};
use http::StatusCode;

use crate::ca::Identity;

/// Starts a server on a free port of 127.0.0.1, over TLS if it is given an identity, and returns the
/// port. It runs until the process ends.
///
/// Every message comes back, but for these texts, which it obeys: `close` and `close CODE REASON`;
/// `burst N`, which is answered with so many messages; `parts N`, with one in so many frames; and
/// `ping PAYLOAD`, with a Ping, and with `pong PAYLOAD` when that was answered. It speaks the
/// subprotocols `echo`, `chat` and `superchat`, and has no `/refused`.
///
/// # Panics
/// If there is no free port.
pub fn start(identity: Option<&Identity>) -> u16 {
    start_with(identity, Timeouts::default())
}

/// As [`start`], with other timeouts.
///
/// # Panics
/// If there is no free port.
pub fn start_with(identity: Option<&Identity>, timeouts: Timeouts) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
    let port = listener.local_addr().expect("it is bound").port();
    let tls = identity.map(Identity::of_server);
    let mut options = ServerOptions::default();
    options.accept.deflate = Some(Deflate::default());
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
            server.serve(echo).await;
        });
    });
    port
}

async fn echo(request: Request) -> Outcome {
    if request.uri().path() == "/refused" {
        let rejection = Rejection::new(StatusCode::NOT_FOUND, "there is nothing here");
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

/// Pings, and tells when the Pong has come.
async fn ping(socket: &mut Socket, payload: &str) -> Outcome {
    socket.ping(payload.as_bytes())?;
    while let Some(event) = poll_fn(|cx| socket.poll_event(cx)).await {
        if matches!(event, Received::Pong(answer) if answer == payload) {
            socket.send(format!("pong {payload}")).await?;
            break;
        }
    }
    Ok(())
}

fn close(socket: &mut Socket, arguments: &str) -> Outcome {
    let (code, reason) = arguments.split_once(' ').unwrap_or((arguments, ""));
    if code.is_empty() {
        socket.start_close(None);
    } else {
        let code = CloseCode::new(code.parse()?)?;
        socket.start_close(Some(&CloseFrame { code, reason: CloseReason::new(reason)? }));
    }
    Ok(())
}
