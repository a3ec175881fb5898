use std::cell::RefCell;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use fullduplex::host::{MessageDemand, Reservation};
use fullduplex::rules::machine::close_frame;
use fullduplex::rules::stream_machine::StreamMachine;
use fullduplex::{Events, Failure, WebSocket};
use napi::bindgen_prelude::{ArrayBuffer, Function};
use napi::{Env, Unknown};
use napi_derive::napi;
use slab::Slab;

use crate::cookies::Jar;
use crate::environment::{self, Signal};
use crate::error::{bad_option, exception};
use crate::event::{self, Many};
use crate::options::Options;

/// One socket. JavaScript takes its events with [`next`].
pub(crate) struct Socket {
    pub(crate) socket: WebSocket,
    /// `None` once the environment is ending. The socket then runs its own tasks, and their events
    /// are dropped.
    events: Option<Events>,
    waker: Waker,
    environment: u32,
    jar: Option<Arc<Jar>>,
    /// Used by a `WebSocketStream` only.
    pub(crate) stream: StreamMachine,
    /// The places reserved for Blobs that are being read.
    reserved: Slab<Reservation>,
}

thread_local! {
    static SOCKETS: RefCell<Slab<Socket>> = const { RefCell::new(Slab::new()) };
}

pub(crate) type Result<T> = std::result::Result<T, napi::Error<String>>;

/// Starts to connect. Returns the number of the socket, which is valid until [`release`].
#[napi]
pub fn open(environment: u32, url: String, options: Options) -> Result<u32> {
    let jar = match &options.cookie {
        Some(cookie) => {
            let jar = Jar::new(cookie).ok_or_else(|| {
                bad_option("could not send the cookie: it is not a valid header value")
            })?;
            Some(Arc::new(jar))
        }
        None => None,
    };
    let abandoned = options.abandoned == Some(true);
    let builder = options.apply(WebSocket::builder(&url), jar.clone())?;
    SOCKETS.with_borrow_mut(|sockets| {
        let entry = sockets.vacant_entry();
        let number = entry.key() as u32;
        let socket = environment::serve(environment, |turns, _inside| -> Result<Socket> {
            let mut events = None;
            let opened = builder.open_with(|socket| {
                events = Some(socket.events());
                if abandoned {
                    socket.close();
                }
            });
            let socket = opened.map_err(|error| exception(&error))?;
            let events = events.unwrap_or_else(|| socket.events());
            let signal = Signal { number, turns: Arc::clone(turns) };
            let waker = Waker::from(Arc::new(signal));
            let stream = StreamMachine::default();
            Ok(Socket {
                socket,
                events: Some(events),
                waker,
                environment,
                jar,
                stream,
                reserved: Slab::new(),
            })
        });
        entry.insert(socket.map_err(bad_option)??);
        Ok(number)
    })
}

/// Returns the attribute `url`.
#[napi]
pub fn url(number: u32) -> Option<String> {
    with(number, |it| it.socket.url().to_owned())
}

/// Returns the attribute `readyState`.
#[napi]
pub fn ready_state(number: u32) -> Option<u32> {
    with(number, |it| it.socket.ready_state() as u32)
}

/// Returns the attribute `bufferedAmount`.
#[napi]
pub fn buffered_amount(number: u32) -> Option<f64> {
    let (amount, environment) = with(number, |it| (it.socket.buffered_amount(), it.environment))?;
    if amount > 0 {
        environment::call_if_due(environment); // some bytes may have been written
    }
    Some(amount as f64)
}

/// Returns the attribute `protocol`.
#[napi]
pub fn protocol(number: u32) -> Option<String> {
    with(number, |it| it.socket.protocol())
}

/// Returns the attribute `extensions`.
#[napi]
pub fn extensions(number: u32) -> Option<String> {
    with(number, |it| it.socket.extensions())
}

/// Takes the `Set-Cookie` headers received since the last call.
#[napi]
pub fn take_cookies(number: u32) -> Vec<String> {
    with(number, |it| it.jar.as_ref().map(|jar| jar.take())).flatten().unwrap_or_default()
}

/// Why a connection failed.
#[napi(object)]
pub struct FailureInfo {
    /// The messages of the error and of its sources.
    pub message: String,
    /// The phase in which the connection failed.
    pub phase: String,
    /// The status of the server's response.
    pub status: Option<u16>,
    /// The number of the TLS alert that the server sent.
    pub tls_alert: Option<u8>,
}

/// Returns why the connection failed, once it has.
#[napi]
pub fn failure(number: u32) -> Option<FailureInfo> {
    let failure = with(number, |it| it.socket.failure()).flatten()?;
    let (phase, status) = (failure.phase().to_owned(), failure.status());
    let tls_alert = failure.tls_alert();
    Some(FailureInfo { message: message(&failure), phase, status, tls_alert })
}

/// Returns the message of a failure, which names options as JavaScript does.
fn message(failure: &Failure) -> String {
    match failure {
        Failure::BlockedPort(port) => format!(
            "could not connect to port {port}: another protocol uses it, so browsers block it; the \
             option `anyPort` allows it"
        ),
        Failure::BufferFull => {
            "could not send: more bytes wait for the network than `maxBufferedAmount` allows".into()
        }
        _ => with_sources(failure),
    }
}

/// Returns the message of an error, followed by each source's message that it does not contain.
fn with_sources(error: &dyn std::error::Error) -> String {
    let mut message = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let text = error.to_string();
        if !message.contains(&text) {
            message = format!("{message}: {text}");
        }
        source = error.source();
    }
    message
}

/// Queues a string to send. [`flush`] hands it to the network.
#[napi]
pub fn feed_text(number: u32, text: String) -> Result<()> {
    call(number, |it| it.socket.feed(text))
}

/// Queues a part of a buffer to send. [`flush`] hands it to the network.
#[napi]
pub fn feed_bytes(number: u32, buffer: ArrayBuffer<'_>, offset: f64, length: f64) -> Result<()> {
    let range = offset as usize..(offset + length) as usize;
    // A buffer that has been detached since is empty.
    let bytes = buffer.get(range).unwrap_or_default();
    call(number, |it| it.socket.feed(bytes.to_vec()))
}

/// Reserves the place of a Blob of `length` bytes among the messages. Returns a number for
/// [`fill`].
#[napi]
pub fn reserve(number: u32, length: f64) -> Result<u32> {
    call(number, |it| {
        let place = it.socket.reserve(length as usize)?;
        Ok(it.reserved.insert(place) as u32)
    })
}

/// Fills a reserved place with the Blob's bytes. `None` means that the Blob could not be read, and
/// fails the connection.
#[napi]
pub fn fill(number: u32, place: u32, bytes: Option<ArrayBuffer<'_>>) {
    let place = with(number, |it| it.reserved.try_remove(place as usize)).flatten();
    if let (Some(place), Some(bytes)) = (place, bytes) {
        place.fill(bytes.to_vec());
    }
}

/// Hands everything queued on the first `count` of these sockets to the network. Waking the I/O thread
/// is a system call, so it is woken once, and wakes the sockets itself.
#[napi]
pub fn flush(numbers: &[u32], count: u32) {
    let sockets: Vec<_> = SOCKETS.with_borrow(|all| {
        let numbers = numbers.iter().take(count as usize);
        let found = numbers.filter_map(|number| all.get(*number as usize));
        found.map(|it| it.socket.clone()).collect()
    });
    match sockets.as_slice() {
        [socket] => socket.flush(),
        _ => environment::run_on_io(move || sockets.iter().for_each(WebSocket::flush)),
    }
}

/// Sends a Ping. Returns its number, or infinity if the socket is closing or closed.
#[napi]
pub fn ping(number: u32) -> Result<f64> {
    call(number, |it| Ok(it.socket.ping()?.map_or(f64::INFINITY, |number| number as f64)))
}

/// Returns the number of the latest Ping that was answered.
#[napi]
pub fn pings_answered(number: u32) -> f64 {
    with(number, |it| it.socket.pings_answered() as f64).unwrap_or_default()
}

/// Implements `close(code, reason)`. Returns whether messages that JavaScript has already taken are
/// still delivered.
#[napi]
pub fn close(number: u32, code: Option<u32>, reason: Option<String>) -> Result<bool> {
    call(number, |it| it.socket.close_as(code.map(close_code_of), reason.as_deref()))
}

/// Runs tasks and returns the next event, or `null` if no task is left. Takes up to `messages`
/// messages at once, and none if `messages` is 0. If there are several messages, passes them to
/// `collect` and returns its result. The first argument of `collect` is 1 if all tasks have run.
#[napi]
pub fn next<'env>(
    env: &'env Env,
    number: u32,
    messages: u32,
    collect: Function<'env, Many<'env>, Unknown<'env>>,
) -> napi::Result<Option<Unknown<'env>>> {
    let taken = with(number, |it| {
        let mut cx = Context::from_waker(&it.waker);
        let Some(events) = &mut it.events else { return Err(Poll::Ready(None)) };
        if messages > 1 {
            let batch = events.take_messages(&cx, messages as usize);
            if !batch.messages.is_empty() {
                return Ok(batch);
            }
        }
        let messages = if messages > 0 { MessageDemand::Take } else { MessageDemand::Leave };
        Err(events.poll_some(&mut cx, messages))
    });
    match taken {
        Some(Ok(batch)) => collect.call(event::many(env, batch)?).map(Some),
        Some(Err(Poll::Ready(Some(event)))) => event::to_js(env, event).map(Some),
        _ => Ok(None),
    }
}

/// Releases a socket that JavaScript no longer refers to. The connection closes if it has not ended yet.
#[napi]
pub fn release(number: u32) {
    let released = SOCKETS.with_borrow_mut(|sockets| sockets.try_remove(number as usize));
    drop(released);
}

/// Checks a close code and reason. Returns the code to send, if any.
#[napi]
pub fn close_code(code: Option<u32>, reason: String) -> Result<Option<u16>> {
    let frame = close_frame(code.map(close_code_of), Some(&reason));
    Ok(frame.map_err(|error| exception(&error))?.map(|frame| frame.code.get()))
}

/// Closes an open socket with 1001, because the program ends.
#[napi]
pub fn disappear(number: u32) {
    with(number, |it| it.socket.disappear());
}

/// Closes all sockets of an ending environment, open ones with 1001, and returns them.
pub(crate) fn end_all(environment: u32) -> Vec<WebSocket> {
    SOCKETS.with_borrow_mut(|sockets| {
        let ours = sockets.iter_mut().filter(|(_, it)| it.environment == environment);
        ours.map(|(_, it)| {
            it.socket.disappear();
            it.socket.flush();
            it.events = None;
            it.socket.clone()
        })
        .collect()
    })
}

/// Releases all sockets of an environment that has ended.
pub(crate) fn release_all(environment: u32) {
    let mut released = Vec::new();
    SOCKETS.with_borrow_mut(|sockets| {
        let numbers: Vec<_> = sockets
            .iter()
            .filter(|(_, it)| it.environment == environment)
            .map(|(number, _)| number)
            .collect();
        released.extend(numbers.into_iter().filter_map(|number| sockets.try_remove(number)));
    });
    drop(released);
}

pub(crate) fn close_code_of(number: u32) -> u16 {
    u16::try_from(number).unwrap_or(u16::MAX)
}

pub(crate) fn with<T>(number: u32, look: impl FnOnce(&mut Socket) -> T) -> Option<T> {
    SOCKETS.with_borrow_mut(|sockets| sockets.get_mut(number as usize).map(look))
}

pub(crate) fn call<T: Default>(
    number: u32,
    call: impl FnOnce(&mut Socket) -> std::result::Result<T, fullduplex::Error>,
) -> Result<T> {
    with(number, call).unwrap_or_else(|| Ok(T::default())).map_err(|error| exception(&error))
}
