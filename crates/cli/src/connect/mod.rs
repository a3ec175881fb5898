mod args;
mod command;
mod form;
mod pipe;
mod show;
mod terminal;

use std::io::{self, IsTerminal as _};

use fullduplex::{
    Builder, CloseEvent, Failure as Cause, LostCause, OutboxLimits, ReconnectingWebSocket,
    WebSocket,
};

pub(crate) use self::args::Connect;
use crate::exit::{Failure, not_connected, usage};

pub(crate) async fn run(args: Connect) -> Result<(), Failure> {
    let builder = args.client.builder()?;
    if args.echo {
        return echo(builder).await;
    }
    let socket = open(builder, args.reconnect);
    let is_typed = io::stdin().is_terminal() && io::stdout().is_terminal() && !args.printing.ndjson;
    if is_typed { terminal::run(&socket, &args).await } else { pipe::run(&socket, &args).await }
}

/// A socket that comes back, if it is to.
fn open(builder: Builder, reconnect: bool) -> ReconnectingWebSocket {
    // Lines are read while there is room, so there is no other bound.
    let mut outbox = OutboxLimits::default();
    outbox.bytes = usize::MAX;
    outbox.messages = usize::MAX;
    ReconnectingWebSocket::builder(builder)
        .outbox(outbox)
        // What is wrong with the arguments stays wrong.
        .stop_when(move |lost| !reconnect || matches!(lost.cause, Some(LostCause::Options(_))))
        .open()
}

/// Sends every message back until the server closes.
async fn echo(builder: Builder) -> Result<(), Failure> {
    let socket = builder.open_with(|socket| {
        socket.set_onmessage(|socket, message| {
            // A message arrives on an open socket only, or on one that drops what is sent.
            socket.send(message.data.clone()).ok();
        });
    });
    let socket: WebSocket = socket.map_err(usage)?;
    let close = socket.closed().await;
    verdict(socket.failure().map(LostCause::Connection), &close)
}

/// What the end of the last connection means for the exit code.
fn verdict(cause: Option<LostCause>, close: &CloseEvent) -> Result<(), Failure> {
    if close.was_clean {
        if !matches!(close.code, 1000 | 1005) {
            let reason = close.reason.escape_debug();
            anstream::eprintln!("fdx: the server closed with code {} \"{reason}\"", close.code);
        }
        return Ok(());
    }
    match cause {
        Some(LostCause::Options(error)) => Err(usage(error)),
        Some(LostCause::Connection(failure)) => Err(match *failure {
            Cause::Connect(_) | Cause::BlockedPort(_) | Cause::NoSubprotocol => {
                not_connected(failure)
            }
            _ => failure.to_string().into(),
        }),
        _ => Err(format!("the connection was cut after a Close with code {}", close.code).into()),
    }
}
