//! Server loops for libraries with the same API.

use std::error::Error;
use std::future::{Ready, ready};

use futures_util::{Sink, SinkExt, Stream, StreamExt};
use hyper::body::{Body, Incoming};
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;
use tokio::select;

use crate::server::Room;

/// A socket that is a stream and a sink of messages.
pub trait Messages<M, E>: Stream<Item = Result<M, E>> + Sink<M, Error = E> + Unpin {}

impl<S, M, E> Messages<M, E> for S where S: Stream<Item = Result<M, E>> + Sink<M, Error = E> + Unpin {}

/// Echoes each data message.
///
/// # Errors
/// Returns the errors of the library.
pub async fn echo<M, E>(
    mut socket: impl Messages<M, E>,
    is_data: impl Fn(&M) -> bool,
) -> Result<(), E> {
    while let Some(message) = socket.next().await {
        let message = message?;
        if is_data(&message) {
            socket.send(message).await?;
        }
    }
    Ok(())
}

/// Sends each data message to the room, and the messages of the room to the client.
///
/// # Errors
/// Returns the errors of the library.
pub async fn chat<M: Clone, E>(
    mut socket: impl Messages<M, E>,
    room: Room<M>,
    is_data: impl Fn(&M) -> bool,
) -> Result<(), E> {
    let mut messages = room.subscribe();
    loop {
        select! {
            message = socket.next() => match message.transpose()? {
                Some(message) if is_data(&message) => {
                    room.send(message).ok();
                }
                Some(_) => {}
                None => return Ok(()),
            },
            Ok(message) = messages.recv() => socket.send(message).await?,
        }
    }
}

/// Serves a connection with hyper. Passes its request to `upgrade`, and runs `handle` with the
/// upgraded connection in a task.
///
/// # Errors
/// Returns the errors of hyper.
pub async fn serve_upgrade<U, B, E, F>(
    stream: TcpStream,
    upgrade: impl Fn(&mut Request<Incoming>) -> Result<(Response<B>, U), E>,
    handle: impl Fn(U) -> F,
) -> hyper::Result<()>
where
    B: Body<Data: Send, Error: Into<Box<dyn Error + Send + Sync>>> + Send + 'static,
    E: Into<Box<dyn Error + Send + Sync>>,
    F: Future<Output: Send> + Send + 'static,
{
    let connection = http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service_fn(upgrading(upgrade, handle)));
    connection.with_upgrades().await
}

/// Serves a connection of HTTP/2 as [`serve_upgrade`] does. Each stream is a WebSocket.
///
/// # Errors
/// Returns the errors of hyper.
pub async fn serve_http2<U, B, E, F>(
    stream: TcpStream,
    upgrade: impl Fn(&mut Request<Incoming>) -> Result<(Response<B>, U), E>,
    handle: impl Fn(U) -> F,
) -> hyper::Result<()>
where
    B: Body<Data: Send, Error: Into<Box<dyn Error + Send + Sync>>> + Send + 'static,
    E: Into<Box<dyn Error + Send + Sync>> + Send + 'static,
    F: Future<Output: Send> + Send + 'static,
{
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder.enable_connect_protocol();
    builder.serve_connection(TokioIo::new(stream), service_fn(upgrading(upgrade, handle))).await
}

/// Returns a service that upgrades each request, and runs `handle` with the result in a task.
fn upgrading<U, B, E, F>(
    upgrade: impl Fn(&mut Request<Incoming>) -> Result<(Response<B>, U), E>,
    handle: impl Fn(U) -> F,
) -> impl Fn(Request<Incoming>) -> Ready<Result<Response<B>, E>>
where
    F: Future<Output: Send> + Send + 'static,
{
    move |mut request| {
        ready(upgrade(&mut request).map(|(response, upgraded)| {
            tokio::spawn(handle(upgraded));
            response
        }))
    }
}
