mod args;
mod command;
mod form;
mod pipe;
mod show;
mod terminal;

use std::io::{self, IsTerminal as _};

use fullduplex::{
    Builder, CloseEvent, Failure as Cause, LostCause, Message, OutboxLimits, ReadyState,
    ReconnectingEvent, ReconnectingEvents, ReconnectingWebSocket, WebSocket,
};
use futures_util::StreamExt as _;
use tokio::time::timeout;

pub(crate) use self::args::Connect;
use crate::context::Context;
use crate::exit::{Failure, not_connected, usage};
use crate::interrupt::GRACE;
use crate::output::stdout_is_terminal;

pub(crate) async fn run(args: Connect, context: &Context) -> Result<(), Failure> {
    let builder = args.client.builder()?;
    if args.echo {
        return echo(builder, context).await;
    }
    let first = args.first.iter().map(|line| form::message(line, args.input));
    let first: Vec<Message> = first.collect::<Result<_, _>>().map_err(usage)?;
    let socket = open(builder, args.reconnect);
    for message in first {
        socket.send(message)?;
    }
    let is_typed = io::stdin().is_terminal() && stdout_is_terminal() && !args.printing.ndjson;
    if is_typed {
        terminal::run(&socket, &args, context).await
    } else {
        pipe::run(&socket, &args, context).await
    }
}

/// Opens a socket, which connects again only if it is asked to.
fn open(builder: Builder, reconnect: bool) -> ReconnectingWebSocket {
    // Lines are read while there is room, so that there is no other bound.
    let mut outbox = OutboxLimits::default();
    outbox.bytes = usize::MAX;
    outbox.messages = usize::MAX;
    ReconnectingWebSocket::builder(builder)
        .outbox(outbox)
        // An error in the arguments does not go away.
        .stop_when(move |lost| !reconnect || matches!(lost.cause, Some(LostCause::Options(_))))
        .open()
}

/// Sends every message back until the server closes.
async fn echo(builder: Builder, context: &Context) -> Result<(), Failure> {
    let socket = builder.open_with(|socket| {
        socket.set_onmessage(|socket, message| {
            // A message arrives while the socket is open, or while it drops what is sent.
            socket.send(message.data.clone()).ok();
        });
    });
    let socket: WebSocket = socket.map_err(usage)?;
    let close = tokio::select! {
        close = socket.closed() => close,
        () = context.interrupt.first() => {
            let was_open = socket.ready_state() != ReadyState::Connecting;
            socket.disappear();
            let closed = timeout(GRACE, socket.closed()).await;
            return interrupted(closed.ok().as_ref(), was_open);
        }
    };
    verdict(socket.failure().map(LostCause::Connection), &close, context)
}

/// Closes an interrupted connection with 1001, and waits a moment for the server's Close. Messages that
/// arrive meanwhile are dropped.
async fn go_away(
    socket: &ReconnectingWebSocket,
    events: &mut ReconnectingEvents,
) -> Option<CloseEvent> {
    socket.disappear();
    let closed = async {
        loop {
            match events.next().await {
                Some(ReconnectingEvent::Close(close)) => return Some(close),
                Some(_) => {}
                None => return None,
            }
        }
    };
    timeout(GRACE, closed).await.ok().flatten()
}

/// Returns what an interrupt means for the exit code.
fn interrupted(close: Option<&CloseEvent>, was_open: bool) -> Result<(), Failure> {
    match close {
        _ if !was_open => Err(not_connected("interrupted before the connection was open")),
        Some(close) if close.was_clean => Ok(()),
        Some(_) => Err("interrupted, and the connection was lost while it closed".into()),
        None => Err("interrupted, and the server did not answer the Close in time".into()),
    }
}

/// Returns what the end of the last connection means for the exit code.
fn verdict(cause: Option<LostCause>, close: &CloseEvent, context: &Context) -> Result<(), Failure> {
    if close.was_clean {
        if !matches!(close.code, 1000 | 1005) {
            let (code, reason) = (close.code, &close.reason);
            context.output.note(format!("fdx: the server closed with code {code} \"{reason}\""));
        }
        return Ok(());
    }
    match cause {
        Some(LostCause::Options(error)) => Err(usage(error)),
        Some(LostCause::Connection(failure)) => Err(match &*failure {
            Cause::BlockedPort(port) => not_connected(format!(
                "could not connect to port {port}: another protocol uses it, so browsers block it; --any-port connects"
            )),
            failure if is_unopened(failure) => not_connected(failure),
            failure => failure.to_string().into(),
        }),
        _ => Err(format!("the connection was lost after a Close with code {}", close.code).into()),
    }
}

/// Returns whether the connection was never open.
fn is_unopened(cause: &Cause) -> bool {
    matches!(
        cause,
        Cause::Connect(_)
            | Cause::BlockedPort(_)
            | Cause::NoSubprotocol
            | Cause::ClosedWhileConnecting
    )
}
