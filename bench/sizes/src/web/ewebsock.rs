//! Connects to a server, greets it, shows the answer, and closes.

use std::cell::RefCell;
use std::ops::ControlFlow;

use ewebsock::{Options, WsEvent, WsMessage, WsSender};
use web_sys::console;

thread_local! {
    // The callback must be `Send`, and the sender is not.
    static SENDER: RefCell<Option<WsSender>> = const { RefCell::new(None) };
}

fn with_sender(use_it: impl FnOnce(&mut WsSender)) {
    SENDER.with_borrow_mut(|sender| sender.as_mut().map(use_it));
}

fn main() {
    let on_event = move |event| {
        match event {
            WsEvent::Opened => with_sender(|sender| sender.send(WsMessage::Text("hello".into()))),
            WsEvent::Message(WsMessage::Text(text)) => {
                console::log_1(&text.into());
                with_sender(WsSender::close);
            }
            WsEvent::Closed => console::log_1(&"closed".into()),
            _ => {}
        }
        ControlFlow::Continue(())
    };
    match ewebsock::ws_connect(
        "ws://127.0.0.1:9001/".into(),
        Options::default(),
        Box::new(on_event),
    ) {
        Ok(sender) => SENDER.set(Some(sender)),
        Err(error) => console::log_1(&error.into()),
    }
}
