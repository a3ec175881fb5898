mod args;
mod command;
mod end;
mod form;
mod pipe;
mod show;
mod terminal;

use std::io::{self, IsTerminal as _};

use fullduplex::{
    Builder, LostCause, Message, OutboxLimits, ReadyState, ReconnectingWebSocket, WebSocket,
};
use tokio::time::timeout;

pub(crate) use self::args::Connect;
use self::end::{interrupted, verdict};
use crate::context::Context;
use crate::exit::{Failure, usage};
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

/// Opens a socket. It reconnects only if `reconnect` is true.
fn open(builder: Builder, reconnect: bool) -> ReconnectingWebSocket {
    // The input is read only while there is room, so the outbox needs no other limit.
    let mut outbox = OutboxLimits::default();
    outbox.bytes = usize::MAX;
    outbox.messages = usize::MAX;
    ReconnectingWebSocket::builder(builder)
        .outbox(outbox)
        // With invalid options, every attempt would fail.
        .stop_when(move |lost| !reconnect || matches!(lost.cause, Some(LostCause::Options(_))))
        .open()
}

/// Echoes every message until the server closes.
async fn echo(builder: Builder, context: &Context) -> Result<(), Failure> {
    let socket = builder.open_with(|socket| {
        socket.set_onmessage(|socket, message| {
            // A closing socket drops the message.
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
