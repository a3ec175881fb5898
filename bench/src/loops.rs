//! Server loops for libraries with the same API.

use std::error::Error;
use std::future::ready;

use futures_util::{Sink, SinkExt, Stream, StreamExt};
use hyper::body::{Body, Incoming};
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;
use tokio::select;

use crate::server::{Http, Room};

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

/// Serves a connection with hyper. Passes each request to `upgrade`, and runs `handle` with the upgraded
/// connection, or the stream of HTTP/2, in a task.
///
/// # Errors
/// Returns the errors of hyper.
pub async fn serve_upgrade<U, B, E, F>(
    stream: TcpStream,
    http: Http,
    upgrade: impl Fn(&mut Request<Incoming>) -> Result<(Response<B>, U), E>,
    handle: impl Fn(U) -> F,
) -> hyper::Result<()>
where
    B: Body<Data: Send, Error: Into<Box<dyn Error + Send + Sync>>> + Send + 'static,
    E: Into<Box<dyn Error + Send + Sync>> + Send + 'static,
    F: Future<Output: Send> + Send + 'static,
{
    let stream = TokioIo::new(stream);
    let service = service_fn(move |mut request| {
        ready(upgrade(&mut request).map(|(response, upgraded)| {
            tokio::spawn(handle(upgraded));
            response
        }))
    });
    match http {
        Http::One => http1::Builder::new().serve_connection(stream, service).with_upgrades().await,
        Http::Two => {
            let mut builder = http2::Builder::new(TokioExecutor::new());
            builder.enable_connect_protocol().serve_connection(stream, service).await
        }
    }
}
