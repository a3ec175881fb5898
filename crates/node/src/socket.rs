use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use fullduplex::machine::close_frame;
use fullduplex::{Events, Messages, Reservation, WebSocket};
use napi::bindgen_prelude::{ArrayBuffer, Reference};
use napi::{Env, Unknown};
use napi_derive::napi;

use crate::cookies::Jar;
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
    jar: Option<Arc<Jar>>,
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
        let jar = match &options.cookie {
            Some(cookie) => {
                let jar = Jar::new(cookie).ok_or_else(|| bad_option("the cookie is no header"))?;
                Some(Arc::new(jar))
            }
            None => None,
        };
        let abandoned = options.abandoned == Some(true);
        let builder = options.apply(WebSocket::builder(&url), jar.clone())?;
        let mut events = None;
        let socket = environment.open(number, || {
            builder
                .open_with(|socket| {
                    events = Some(socket.events());
                    if abandoned {
                        socket.close();
                    }
                })
                .map_err(|error| Refused(exception(&error)))
        });
        let socket = socket.map_err(|Refused(error)| error)?;
        let waker = Waker::from(Arc::new(environment.signal(number)));
        waker.wake_by_ref(); // the first look at it registers the waker
        Ok(Self { socket, events, waker, number, environment, jar })
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

    /// The `Set-Cookie` headers that have come since they were asked for.
    #[napi]
    pub fn take_cookies(&self) -> Vec<String> {
        self.jar.as_ref().map(|jar| jar.take()).unwrap_or_default()
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

    /// Asks the server for a Pong; returns the number of the question.
    #[napi]
    pub fn ping(&self) -> Result<f64, napi::Error<String>> {
        self.socket.ping().map(|number| number as f64).map_err(|error| exception(&error))
    }

    /// The number of the latest question that was answered.
    #[napi(getter)]
    pub fn pings_answered(&self) -> f64 {
        self.socket.pings_answered() as f64
    }

    /// `close(code, reason)`.
    #[napi]
    pub fn close(
        &self,
        code: Option<u32>,
        reason: Option<String>,
    ) -> Result<(), napi::Error<String>> {
        self.socket.close_as(code.map(close_code_of), reason.as_deref()).map_err(|error| exception(&error))
    }

    /// Runs the next task that has an event, unless it is a message and none is wanted. `null` when all tasks have run.
    #[napi]
    pub fn next<'env>(
        &mut self,
        env: &'env Env,
        messages: bool,
    ) -> napi::Result<Option<Unknown<'env>>> {
        let Some(events) = &mut self.events else { return Ok(None) };
        let messages = if messages { Messages::Take } else { Messages::Leave };
        match events.poll_some(&mut Context::from_waker(&self.waker), messages) {
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

/// The code that goes with what an application says, if any does.
#[napi]
pub fn close_code(
    code: Option<u32>,
    reason: String,
) -> Result<Option<u16>, napi::Error<String>> {
    let code = code.map(close_code_of);
    let frame = close_frame(code, Some(&reason)).map_err(|error| exception(&error))?;
    Ok(frame.map(|frame| frame.code.get()))
}

fn close_code_of(number: u32) -> u16 {
    u16::try_from(number).unwrap_or(u16::MAX)
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
