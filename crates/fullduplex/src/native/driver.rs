//! The network's side of a socket: one task that connects, reads, writes, and posts what happens.

use std::future::poll_fn;
use std::iter;
use std::sync::Arc;
use std::task::{Context, Poll};

use fullduplex_net::proto::{Closed, Received};
use fullduplex_net::{ConnectOptions, Socket, connect};

use crate::native::shared::{Shared, State};
use crate::object::builder::Ports;
use crate::object::error::Failure;
use crate::object::event::CloseEvent;
use crate::object::ports;
use crate::rules::machine::Task;

/// Messages are handed to the connection, which encodes them, while less than this waits there.
const HIGH_WATER: u64 = 64 << 10;

/// Serves a socket from its construction to its `close` event; also if the future is dropped before
/// it was ever polled.
pub(crate) fn run(
    shared: Arc<Shared>,
    options: ConnectOptions,
    ports: Ports,
) -> impl Future<Output = ()> + Send {
    let life = Life(shared);
    async move {
        let shared = &life.0;
        let mut lingering = None;
        let end = match open(shared, &options, ports).await {
            Ok(mut socket) => {
                let end = poll_fn(|cx| poll_open(shared, &mut socket, cx)).await;
                lingering = matches!(end, Err(Failure::Lost(_))).then_some(socket);
                end
            }
            Err(failure) => Err(failure),
        };
        match end {
            Ok(closed) => {
                shared.post([closed_task(&closed)]);
                shared.announce();
            }
            Err(failure) => shared.post_failure(failure),
        }
        // The application hears of a failure at once. The peer is still told, and the last task may
        // wait for a stream.
        poll_fn(|cx| {
            let told = lingering.as_mut().is_none_or(|socket| socket.poll_event(cx).is_ready());
            if told {
                lingering = None;
            }
            let dispatched = poll_dispatched(shared, cx).is_ready();
            if told && dispatched { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }
}

/// Ends the socket if its driver ends before its time: with its runtime, or by a panic.
struct Life(Arc<Shared>);

impl Drop for Life {
    fn drop(&mut self) {
        self.0.driver_gone();
    }
}

/// Connects, unless the application gives up first.
async fn open(
    shared: &Arc<Shared>,
    options: &ConnectOptions,
    ports: Ports,
) -> Result<Socket, Failure> {
    let port = shared.url.port();
    if ports == Ports::Fetch && ports::is_blocked(port) {
        return Err(Failure::BlockedPort(port));
    }
    let mut connecting = std::pin::pin!(connect(&shared.url, options));
    let (socket, _response) = poll_fn(|cx| {
        if let Some(failure) = take_abort(&mut shared.state(), cx) {
            return Poll::Ready(Err(failure));
        }
        connecting.as_mut().poll(cx).map_err(Failure::Connect)
    })
    .await?;
    let protocol = socket.subprotocol().map(ToString::to_string).unwrap_or_default();
    if protocol.is_empty() && !options.subprotocols.is_empty() {
        return Err(Failure::NoSubprotocol);
    }
    shared.post([Task::Opened { protocol, extensions: socket.extensions() }]);
    shared.run_as_driver();
    Ok(socket)
}

/// Moves messages both ways until the connection has ended or failed.
fn poll_open(
    shared: &Arc<Shared>,
    socket: &mut Socket,
    cx: &mut Context<'_>,
) -> Poll<Result<Closed, Failure>> {
    loop {
        let reads = match hand_over(shared, socket, cx) {
            Ok(reads) => reads,
            Err(failure) => return Poll::Ready(Err(failure)),
        };
        let polled = if reads {
            poll_some(shared, socket, cx)
        } else {
            // The host takes nothing now. What is sent goes out; an error is met by reading.
            let _ = socket.poll_without_reading(cx);
            Poll::Pending
        };
        shared.run_as_driver();
        if polled.is_pending() {
            let is_due = {
                let mut state = shared.state();
                state.announce();
                state.outbox.is_due()
            };
            if let Some(error) = socket.error() {
                return Poll::Ready(Err(Failure::Lost(error)));
            }
            if let Some(closed) = socket.closed() {
                return Poll::Ready(Ok(closed));
            }
            if !(is_due && has_room(socket)) {
                return Poll::Pending;
            }
        }
    }
}

/// Posts what has come: a message with those that arrived together with it, all at once, for the host may
/// be on another thread. Pending if there is no more.
///
/// What else has come behind them, such as a Close, is for the next time: the host may answer them before.
fn poll_some(shared: &Shared, socket: &mut Socket, cx: &mut Context<'_>) -> Poll<()> {
    let mut tasks = Vec::new();
    let polled = match socket.poll_event(cx) {
        Poll::Ready(Some(event)) => {
            match event {
                Received::Message(message) => {
                    tasks.push(Task::Received(message));
                    tasks.extend(iter::from_fn(|| socket.try_recv()).map(Task::Received));
                }
                Received::Close(_) => tasks.push(Task::ClosingStarted),
                Received::Pong(payload) => shared.ponged(&payload),
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
        shared.post(tasks);
    }
    polled
}

/// Takes the application's wish to drop the connection; otherwise the next wish wakes the driver.
fn take_abort(state: &mut State, cx: &Context<'_>) -> Option<Failure> {
    state.wakers.register_driver(cx);
    state.outbox.abort.take()
}

/// Gives the connection what the application wants to send, as far as there is room; before a close
/// all of it, so that the connection sees the close and the peer gets its deadline. Returns whether
/// the host takes what comes, unless the application wishes to drop the connection.
fn hand_over(shared: &Shared, socket: &mut Socket, cx: &Context<'_>) -> Result<bool, Failure> {
    loop {
        let mut state = shared.state();
        if let Some(failure) = take_abort(&mut state, cx) {
            return Err(failure);
        }
        let reads = !state.inbox_is_full();
        let outbox = &mut state.outbox;
        if let Some(number) = outbox.ping.take() {
            socket.ping(&number.to_be_bytes()).ok();
        }
        if !has_room(socket) && outbox.close.is_none() {
            return Ok(reads);
        }
        if let Some(message) = outbox.pop() {
            drop(state);
            // A connection that is closing drops it, as the standard has it.
            socket.queue(message).ok();
        } else {
            if let Some(frame) = outbox.take_close() {
                socket.start_close(frame.as_ref());
            }
            return Ok(reads);
        }
    }
}

fn has_room(socket: &Socket) -> bool {
    socket.queued_bytes() < HIGH_WATER
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
    shared.state().wakers.register_driver(cx);
    shared.run_as_driver();
    if shared.state().closed.is_some() { Poll::Ready(()) } else { Poll::Pending }
}
