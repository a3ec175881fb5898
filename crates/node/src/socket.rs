use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use fullduplex::{Events, Reservation, WebSocket};
use futures_core::Stream;
use napi::bindgen_prelude::{ArrayBuffer, Reference};
use napi::{Env, Unknown};
use napi_derive::napi;

use crate::environment::Environment;
use crate::error::{bad_option, exception};
use crate::event;
use crate::options::Options;

/// One socket. Its events are taken by [`Socket::next`], on JavaScript's thread.
#[napi]
pub struct Socket {
    socket: WebSocket,
    events: Option<Events>,
    waker: Waker,
    number: u32,
    environment: Reference<Environment>,
}

#[napi]
impl Socket {
    /// Starts to connect. `number` is what [`Environment::ready`] will say of it.
    #[napi(constructor)]
    pub fn new(
        environment: Reference<Environment>,
        number: u32,
        url: String,
        options: Options,
    ) -> Result<Self, napi::Error<String>> {
        let builder = options.apply(WebSocket::builder(&url)).map_err(|error| exception(&error))?;
        let mut events = None;
        let socket = environment.open(number, || {
            builder
                .open_with(|socket| events = Some(socket.events()))
                .map_err(|error| Refused(exception(&error)))
        });
        let socket = socket.map_err(|Refused(error)| error)?;
        let waker = Waker::from(Arc::new(environment.signal(number)));
        waker.wake_by_ref(); // the first look at it registers the waker
        Ok(Self { socket, events, waker, number, environment })
    }

    /// The attribute `url`.
    #[napi(getter)]
    pub fn url(&self) -> &str {
        self.socket.url()
    }

    /// The attribute `readyState`.
    #[napi(getter)]
    pub fn ready_state(&self) -> u32 {
        self.socket.ready_state() as u32
    }

    /// The attribute `bufferedAmount`.
    #[napi(getter)]
    pub fn buffered_amount(&self) -> f64 {
        self.socket.buffered_amount() as f64
    }

    /// The attribute `protocol`.
    #[napi(getter)]
    pub fn protocol(&self) -> String {
        self.socket.protocol()
    }

    /// The attribute `extensions`.
    #[napi(getter)]
    pub fn extensions(&self) -> String {
        self.socket.extensions()
    }

    /// Why the connection failed, once it has.
    #[napi(getter)]
    pub fn failure(&self) -> Option<String> {
        self.socket.failure().map(|failure| failure.to_string())
    }

    /// `send` of a string; on its way at [`Socket::flush`].
    #[napi]
    pub fn feed_text(&self, text: String) -> Result<(), napi::Error<String>> {
        self.socket.feed(text).map_err(|error| exception(&error))
    }

    /// `send` of a part of a buffer; on its way at [`Socket::flush`].
    #[napi]
    pub fn feed_bytes(
        &self,
        buffer: ArrayBuffer<'_>,
        offset: f64,
        length: f64,
    ) -> Result<(), napi::Error<String>> {
        let range = offset as usize..(offset + length) as usize;
        // A buffer that was detached meanwhile is empty.
        let bytes = buffer.get(range).unwrap_or_default();
        self.socket.feed(bytes.to_vec()).map_err(|error| exception(&error))
    }

    /// `send` of a Blob of so many bytes.
    #[napi]
    pub fn reserve(&self, length: f64) -> Result<Place, napi::Error<String>> {
        let reserved = self.socket.reserve(length as usize).map_err(|error| exception(&error))?;
        Ok(Place(Some(reserved)))
    }

    /// Has what was fed sent.
    #[napi]
    pub fn flush(&self) {
        self.socket.flush();
    }

    /// `close(code, reason)`.
    #[napi]
    pub fn close(
        &self,
        code: Option<u32>,
        reason: Option<String>,
    ) -> Result<(), napi::Error<String>> {
        let code = code.map(|code| u16::try_from(code).unwrap_or(u16::MAX));
        self.socket.close_as(code, reason.as_deref()).map_err(|error| exception(&error))
    }

    /// Runs the next task; its event, if there is one. `null` when all tasks have run.
    #[napi]
    pub fn next<'env>(&mut self, env: &'env Env) -> napi::Result<Option<Unknown<'env>>> {
        let Some(events) = &mut self.events else { return Ok(None) };
        match Pin::new(events).poll_next(&mut Context::from_waker(&self.waker)) {
            Poll::Ready(Some(event)) => event::to_js(env, event).map(Some),
            Poll::Pending => Ok(None),
            Poll::Ready(None) => {
                self.release();
                Ok(None)
            }
        }
    }

    /// More tasks may wait: this socket is ready again.
    #[napi]
    pub fn later(&self) {
        self.waker.wake_by_ref();
    }

    /// Nobody takes the events any more.
    #[napi]
    pub fn release(&mut self) {
        self.events = None;
        self.environment.forget(self.number);
    }
}

/// The place of a Blob among the messages.
#[napi]
pub struct Place(Option<Reservation>);

#[napi]
impl Place {
    /// The Blob was read.
    #[napi]
    pub fn fill(&mut self, bytes: ArrayBuffer<'_>) {
        if let Some(place) = self.0.take() {
            place.fill(bytes.to_vec());
        }
    }

    /// The Blob cannot be read.
    #[napi]
    pub fn abandon(&mut self) {
        self.0 = None;
    }
}

/// Why a socket was not opened.
struct Refused(napi::Error<String>);

impl From<std::io::Error> for Refused {
    fn from(error: std::io::Error) -> Self {
        Self(bad_option(error))
    }
}
