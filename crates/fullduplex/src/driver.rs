//! The network's side of a socket: one task that connects, reads, writes, and posts what happens.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};

use fullduplex_net::proto::{Closed, Event};
use fullduplex_net::{ClientStream, ConnectOptions, Socket, connect};

use crate::machine::Task;
use crate::shared::Shared;
use crate::{CloseEvent, Failure, Ports, ports};

/// Messages are handed to the connection, which encodes them, while less than this waits there.
const HIGH_WATER: u64 = 64 << 10;

/// Serves a socket from its construction to its `close` event.
pub(crate) async fn run(shared: Arc<Shared>, options: ConnectOptions, ports: Ports) {
    let mut last_words = LastWords(Some(Arc::clone(&shared)));
    let end = match open(&shared, &options, ports).await {
        Ok(mut socket) => poll_fn(|cx| poll_open(&shared, &mut socket, cx)).await,
        Err(failure) => Err(failure),
    };
    match end {
        Ok(closed) => shared.post(closed_task(&closed)),
        Err(failure) => shared.post_failure(failure),
    }
    last_words.0 = None;
    // The rest is the host's; if that is a stream, this task may be needed again when it is dropped.
    poll_fn(|cx| poll_dispatched(&shared, cx)).await;
}

/// Connects, unless the application gives up first.
async fn open(
    shared: &Arc<Shared>,
    options: &ConnectOptions,
    ports: Ports,
) -> Result<Socket<ClientStream>, Failure> {
    let port = shared.url.port();
    if ports == Ports::Fetch && ports::is_blocked(port) {
        return Err(Failure::BlockedPort(port));
    }
    let mut connecting = std::pin::pin!(connect(&shared.url, options));
    let socket = poll_fn(|cx| {
        if let Some(failure) = take_abort(shared, cx) {
            return Poll::Ready(Err(failure));
        }
        connecting.as_mut().poll(cx).map_err(Failure::Connect)
    })
    .await?;
    let protocol = socket.subprotocol().map(ToString::to_string).unwrap_or_default();
    if protocol.is_empty() && !options.subprotocols.is_empty() {
        return Err(Failure::NoSubprotocol);
    }
    shared.post(Task::Opened { protocol, extensions: String::new() });
    shared.run_as_driver();
    Ok(socket)
}

/// Moves messages both ways until the connection has ended.
fn poll_open(
    shared: &Arc<Shared>,
    socket: &mut Socket<ClientStream>,
    cx: &mut Context<'_>,
) -> Poll<Result<Closed, Failure>> {
    loop {
        if let Some(failure) = take_abort(shared, cx) {
            return Poll::Ready(Err(failure));
        }
        hand_over(shared, socket);
        let polled = if shared.state().inbox_is_full() {
            socket.poll_ended(cx).map(|()| None)
        } else {
            socket.poll_event(cx)
        };
        let written = socket.take_written();
        if written > 0 {
            shared.post(Task::Transmitted(written));
        }
        match polled {
            Poll::Ready(Some(Event::Message(message))) => shared.post(Task::Received(message)),
            Poll::Ready(Some(Event::Close(_))) => shared.post(Task::ClosingStarted),
            Poll::Ready(Some(Event::Ping(_) | Event::Pong(_))) => {}
            Poll::Ready(None) => return Poll::Ready(ended(socket)),
            Poll::Pending => {
                shared.run_as_driver();
                if !(has_room(socket) && shared.state().outbox.is_due()) {
                    return Poll::Pending;
                }
            }
        }
        shared.run_as_driver();
    }
}

/// Takes the application's wish to drop the connection; otherwise the next wish wakes the driver.
fn take_abort(shared: &Shared, cx: &Context<'_>) -> Option<Failure> {
    let mut state = shared.state();
    state.driver = Some(cx.waker().clone());
    state.outbox.abort.take()
}

/// Gives the connection what the application wants to send, as far as there is room.
fn hand_over(shared: &Shared, socket: &mut Socket<ClientStream>) {
    while has_room(socket) {
        let next = shared.state().outbox.messages.pop_front();
        match next {
            // A connection that is closing drops it, as the standard has it.
            Some(message) => drop(socket.queue(&message)),
            None => break,
        }
    }
    let mut state = shared.state();
    if state.outbox.messages.is_empty()
        && let Some(frame) = state.outbox.close.take()
    {
        socket.start_close(frame.as_ref());
    }
}

fn has_room(socket: &Socket<ClientStream>) -> bool {
    socket.queued_bytes() < HIGH_WATER
}

/// How the connection ended, or why it failed.
fn ended(socket: &mut Socket<ClientStream>) -> Result<Closed, Failure> {
    match socket.error() {
        Some(error) => Err(Failure::Lost(error)),
        None => Ok(socket.closed().expect("the socket said that it has ended").clone()),
    }
}

fn closed_task(closed: &Closed) -> Task {
    let event = CloseEvent {
        was_clean: closed.was_clean(),
        code: closed.code(),
        reason: closed.reason().to_owned(),
    };
    Task::Closed { failed: false, event }
}

/// Runs the tasks until the `close` event has fired, unless a stream does.
fn poll_dispatched(shared: &Arc<Shared>, cx: &Context<'_>) -> Poll<()> {
    shared.state().driver = Some(cx.waker().clone());
    shared.run_as_driver();
    if shared.state().closed.is_some() { Poll::Ready(()) } else { Poll::Pending }
}

/// Ends the socket if its driver is dropped before its time, with the runtime that ran it.
struct LastWords(Option<Arc<Shared>>);

impl Drop for LastWords {
    fn drop(&mut self) {
        if let Some(shared) = self.0.take() {
            shared.post_failure(Failure::RuntimeGone);
            shared.run_as_driver();
        }
    }
}
