//! Converts the events of the browser's object, and fires them if no stream does.

use std::cell::Cell;
use std::future::poll_fn;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use fullduplex_proto::Message;
use js_sys::Uint8Array;
use wasm_bindgen::JsCast;
use wasm_bindgen::closure::Closure;

use crate::browser::clock::sleep;
use crate::browser::failure::Failure;
use crate::browser::runtime::spawn;
use crate::browser::socket::{Input, SocketTarget};
use crate::object::race::race;
use crate::rules::event::CloseEvent;

/// The interval at which `bufferedAmount` is polled while the application waits for it to fall. It is the
/// shortest interval that browsers support.
const LOOK_AGAIN: Duration = Duration::from_millis(4);

/// Starts a task that serves a socket until its `close` event has fired.
pub(crate) fn start(target: &Arc<SocketTarget>) {
    let socket = target.state().object.socket.clone();
    let listeners = socket.map(|socket| Listeners::new(socket, target));
    let target = Arc::clone(target);
    spawn(async move {
        serve(&target).await;
        drop(listeners);
        target.driver_gone();
    });
}

/// Fires the events while the driver is the host. Wakes the waiting tasks when `bufferedAmount` falls.
async fn serve(target: &Arc<SocketTarget>) {
    loop {
        target.run_as_driver();
        let watched = {
            let state = target.state();
            if state.closed.is_some() {
                return;
            }
            state.object.watched
        };
        let wanted = poll_fn(|cx| target.state().wakers.poll_woken(cx));
        let Some(watched) = watched else {
            wanted.await;
            continue;
        };
        race(wanted, sleep(LOOK_AGAIN)).await;
        let mut state = target.state();
        if state.object.buffered_amount() < watched {
            state.object.watched = None;
            state.wakers.wake_waiting();
            state.wakers.wake_stream();
        }
    }
}

/// The event handlers of the browser's object.
struct Listeners {
    socket: web_sys::WebSocket,
    _open: Closure<dyn FnMut()>,
    _message: Closure<dyn FnMut(web_sys::MessageEvent)>,
    _error: Closure<dyn FnMut()>,
    _close: Closure<dyn FnMut(web_sys::CloseEvent)>,
}

impl Listeners {
    fn new(socket: web_sys::WebSocket, target: &Arc<SocketTarget>) -> Self {
        socket.set_binary_type(web_sys::BinaryType::Arraybuffer);
        let stage = Rc::new(Cell::new(Stage::Connecting));
        let shared = || (Arc::clone(target), Rc::clone(&stage));

        let (at, now) = shared();
        let open = Closure::new(move || {
            now.set(Stage::Open);
            at.post(Input::Open);
        });
        let at = Arc::clone(target);
        let message = Closure::new(move |event| at.post(converted(&event)));
        let (at, now) = shared();
        let error = Closure::new(move || {
            let failure = match now.replace(Stage::Failed) {
                Stage::Connecting => Failure::Connect,
                Stage::Open | Stage::Failed => Failure::Lost,
            };
            at.state().object.failure.get_or_insert(Arc::new(failure));
        });
        let (at, now) = shared();
        let close = Closure::new(move |event: web_sys::CloseEvent| {
            let (was_clean, code, reason) = (event.was_clean(), event.code(), event.reason());
            if !was_clean {
                at.state().object.failure.get_or_insert(Arc::new(Failure::Lost));
            }
            let failed = now.get() == Stage::Failed;
            at.post(Input::Close { failed, event: CloseEvent { was_clean, code, reason } });
        });

        socket.set_onopen(Some(open.as_ref().unchecked_ref()));
        socket.set_onmessage(Some(message.as_ref().unchecked_ref()));
        socket.set_onerror(Some(error.as_ref().unchecked_ref()));
        socket.set_onclose(Some(close.as_ref().unchecked_ref()));
        Self { socket, _open: open, _message: message, _error: error, _close: close }
    }
}

impl Drop for Listeners {
    fn drop(&mut self) {
        self.socket.set_onopen(None);
        self.socket.set_onmessage(None);
        self.socket.set_onerror(None);
        self.socket.set_onclose(None);
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Connecting,
    Open,
    Failed,
}

fn converted(event: &web_sys::MessageEvent) -> Input {
    let data = event.data();
    let message = match data.as_string() {
        Some(text) => Message::from(text),
        None => Message::from(Bytes::from(Uint8Array::new(&data).to_vec())),
    };
    Input::Message { message, origin: event.origin() }
}
