//! The network side of a socket: one task that connects, reads, writes, and posts tasks.

use std::future::poll_fn;
use std::iter;
use std::sync::Arc;
use std::task::{Context, Poll};

use fullduplex_net::{ConnectOptions, Socket, connect};
use fullduplex_proto::{Closed, Received};

use crate::native::failure::Failure;
use crate::native::outbox::Outbox;
use crate::native::socket::SocketTarget;
use crate::rules::WRITE_HIGH_WATER;
use crate::rules::event::CloseEvent;
use crate::rules::machine::Task;
use crate::rules::ports::Ports;

/// Serves a socket from its construction to its `close` event. Dropping the future ends the socket,
/// even before the first poll.
pub(crate) fn run(
    target: Arc<SocketTarget>,
    options: ConnectOptions,
    ports: Ports,
) -> impl Future<Output = ()> + Send {
    let guard = EndGuard(target);
    async move {
        let target = &guard.0;
        let mut lingering = None;
        let end = match open(target, &options, ports).await {
            Ok(mut socket) => {
                let end = poll_fn(|cx| poll_open(target, &mut socket, cx)).await;
                lingering = matches!(end, Err(Failure::Lost(_))).then_some(socket);
                end
            }
            Err(failure) => Err(failure),
        };
        match end {
            Ok(closed) => {
                target.post([closed_task(&closed)]);
                target.state().announce();
            }
            Err(failure) => target.post_failure(failure),
        }
        // The application sees a failure immediately. The driver continues: it sends the Close frame, and an event
        // stream may still have to run the last task.
        poll_fn(|cx| {
            let has_ended =
                lingering.as_mut().is_none_or(|socket| socket.poll_event(cx).is_ready());
            if has_ended {
                lingering = None;
            }
            let has_closed = poll_closed(target, cx).is_ready();
            if has_ended && has_closed { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }
}

/// Ends the socket when its driver ends, even if the runtime is dropped or the driver panics.
struct EndGuard(Arc<SocketTarget>);

impl Drop for EndGuard {
    fn drop(&mut self) {
        self.0.handle_driver_end();
    }
}

/// Connects, unless the application closes the socket first.
async fn open(
    target: &Arc<SocketTarget>,
    options: &ConnectOptions,
    ports: Ports,
) -> Result<Socket, Failure> {
    let url = Arc::clone(&target.state().object.url);
    if !ports.allow(url.port()) {
        return Err(Failure::BlockedPort(url.port()));
    }
    let mut connecting = std::pin::pin!(connect(&*url, options));
    let (socket, _response) = poll_fn(|cx| {
        if let Some(failure) = take_abort(target, cx) {
            return Poll::Ready(Err(failure));
        }
        connecting.as_mut().poll(cx).map_err(Failure::Connect)
    })
    .await?;
    let protocol = socket.subprotocol().map(ToString::to_string).unwrap_or_default();
    if protocol.is_empty() && !options.subprotocols.is_empty() {
        return Err(Failure::NoSubprotocol);
    }
    target.post([Task::Opened { protocol, extensions: socket.extensions() }]);
    target.run_as_driver();
    Ok(socket)
}

/// Transfers messages in both directions until the connection has ended or failed.
fn poll_open(
    target: &Arc<SocketTarget>,
    socket: &mut Socket,
    cx: &mut Context<'_>,
) -> Poll<Result<Closed, Failure>> {
    loop {
        if let Some(failure) = take_abort(target, cx) {
            return Poll::Ready(Err(failure));
        }
        hand_over(target, socket);
        let polled = if target.state().object.inbox.is_full() {
            // This only writes queued data. The next read reports errors.
            let _ = socket.poll_without_reading(cx);
            Poll::Pending
        } else {
            poll_received(target, socket, cx)
        };
        target.run_as_driver();
        if polled.is_pending() {
            let is_due = {
                let mut state = target.state();
                state.announce();
                state.object.outbox.is_due()
            };
            if let Some(error) = socket.error() {
                return Poll::Ready(Err(Failure::Lost(error)));
            }
            if let Some(closed) = socket.close_result() {
                return Poll::Ready(Ok(closed));
            }
            if !(is_due && has_room(socket)) {
                return Poll::Pending;
            }
        }
    }
}

/// Posts the messages that have arrived, in one step, because the host may be on another thread.
/// Returns `Pending` if there are none.
///
/// Other events after the messages, such as a Close, are left for the next call, so that the host
/// can answer the messages first.
fn poll_received(target: &SocketTarget, socket: &mut Socket, cx: &mut Context<'_>) -> Poll<()> {
    let mut tasks = Vec::new();
    let polled = match socket.poll_event(cx) {
        Poll::Ready(Some(event)) => {
            match event {
                Received::Message(message) => {
                    tasks.push(Task::Received(message));
                    tasks.extend(iter::from_fn(|| socket.try_recv()).map(Task::Received));
                }
                Received::Close(_) => tasks.push(Task::ClosingStarted),
                Received::Pong(payload) => target.handle_pong(&payload),
                Received::Part(_) | Received::Ping(_) => {}
            }
            Poll::Ready(())
        }
        Poll::Ready(None) | Poll::Pending => Poll::Pending,
    };
    let written = socket.take_written();
    if written > 0 {
        tasks.push(Task::Transmitted(written));
    }
    if !tasks.is_empty() {
        target.post(tasks);
    }
    polled
}

/// Takes the request to drop the connection. Registers the driver for the next request.
fn take_abort(target: &SocketTarget, cx: &Context<'_>) -> Option<Failure> {
    let mut state = target.state();
    state.wakers.register_driver(cx);
    state.object.outbox.abort.take()
}

/// Hands queued messages to the connection while it has room. Before a Close, hands over all messages,
/// so that the connection sends the Close and starts the deadline of the closing handshake.
fn hand_over(target: &SocketTarget, socket: &mut Socket) {
    loop {
        let mut state = target.state();
        let outbox: &mut Outbox = &mut state.object.outbox;
        if let Some(number) = outbox.ping.take() {
            socket.ping(&number.to_be_bytes()).ok();
        }
        if !has_room(socket) && outbox.close.is_none() {
            return;
        }
        if let Some(message) = outbox.pop() {
            drop(state);
            // A closing connection drops the message, as the standard requires.
            socket.queue(message).ok();
        } else {
            if let Some(close) = outbox.take_close() {
                socket.start_close(close.frame());
            }
            return;
        }
    }
}

fn has_room(socket: &Socket) -> bool {
    socket.queued_bytes() < WRITE_HIGH_WATER
}

fn closed_task(closed: &Closed) -> Task {
    let event = CloseEvent {
        was_clean: closed.was_clean(),
        code: closed.code(),
        reason: closed.reason().to_owned(),
    };
    Task::Closed { failed: false, event }
}

/// Runs the tasks, if the driver is the host, and polls until the `close` event has fired.
fn poll_closed(target: &Arc<SocketTarget>, cx: &Context<'_>) -> Poll<()> {
    target.state().wakers.register_driver(cx);
    target.run_as_driver();
    if target.state().closed.is_some() { Poll::Ready(()) } else { Poll::Pending }
}
