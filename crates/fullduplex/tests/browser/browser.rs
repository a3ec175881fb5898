use std::cell::Cell;
use std::panic;
use std::rc::Rc;

use fullduplex::{Builder, CloseEvent, WebSocket};
use js_sys::{Function, Reflect, global};
use wasm_bindgen::{JsCast, JsValue};

use crate::rows;

/// Our echo server, as `fullduplex_lab::target::Target` for native programs.
pub(crate) struct Target {
    url: String,
}

impl Target {
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    pub(crate) fn extensions(&self) -> &'static str {
        "permessage-deflate"
    }

    pub(crate) fn close_event(&self, code: u16, reason: &str) -> CloseEvent {
        CloseEvent { was_clean: true, code, reason: reason.into() }
    }

    pub(crate) fn socket(&self) -> Builder {
        WebSocket::builder(&self.url)
    }
}

pub(crate) fn run() {
    panic::set_hook(Box::new(|panic| report(&panic.to_string())));
    let url = of_host("testServer").as_string().unwrap_or_default();
    wasm_bindgen_futures::spawn_local(all(Target { url }));
}

async fn all(target: Target) {
    let left_out = of_host("leftOut").as_string().unwrap_or_default();

    /// Runs the rows one after the other.
    macro_rules! rows {
        ($($row:ident)*) => {
            $(
                if left_out.contains(stringify!($row)) {
                    report(concat!("left out ", stringify!($row)));
                } else {
                    rows::$row(&target).await;
                    report(concat!("ok ", stringify!($row)));
                }
            )*
        };
    }
    handlers_need_not_be_send(&target).await;
    report("ok handlers_need_not_be_send");
    rows!(constructor buffered_amount onopen_onmessage_onerror_onclose protocol_and_extensions ready_state url
        close send reconnecting);
    report("done");
}

async fn handlers_need_not_be_send(target: &Target) {
    let opened = Rc::new(Cell::new(false));
    let flag = Rc::clone(&opened);
    let socket = target.socket().open().expect("the URL is valid");
    socket.set_onopen(move |socket, _| {
        flag.set(true);
        socket.close();
    });
    socket.closed().await;
    assert!(opened.get());
}

fn report(text: &str) {
    let report = of_host("report").unchecked_into::<Function>();
    report.call1(&JsValue::UNDEFINED, &text.into()).ok();
}

fn of_host(name: &str) -> JsValue {
    Reflect::get(&global(), &name.into()).unwrap_or_default()
}
