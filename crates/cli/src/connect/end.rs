//! The end of a connection, and its exit code.

use fullduplex::{
    CloseEvent, Failure as Cause, LostCause, ReconnectingEvent, ReconnectingEvents,
    ReconnectingWebSocket,
};
use futures_util::StreamExt as _;
use tokio::time::timeout;

use crate::context::Context;
use crate::exit::{Failure, not_connected, usage};
use crate::interrupt::GRACE;

/// Closes an interrupted connection with 1001, and waits briefly for the server's Close. Messages
/// that arrive during the wait are dropped.
pub(super) async fn go_away(
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

/// Returns the result of an interrupted command.
pub(super) fn interrupted(close: Option<&CloseEvent>, was_open: bool) -> Result<(), Failure> {
    match close {
        _ if !was_open => Err(not_connected("interrupted before the connection was open")),
        Some(close) if close.was_clean => Ok(()),
        Some(_) => Err("interrupted, and the connection was lost while it closed".into()),
        None => Err("interrupted, and the server did not answer the Close in time".into()),
    }
}

/// Returns the result of a command from the end of its last connection.
pub(super) fn verdict(
    cause: Option<LostCause>,
    close: &CloseEvent,
    context: &Context,
) -> Result<(), Failure> {
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
pub(super) fn is_unopened(cause: &Cause) -> bool {
    matches!(
        cause,
        Cause::Connect(_)
            | Cause::BlockedPort(_)
            | Cause::NoSubprotocol
            | Cause::ClosedWhileConnecting
    )
}
