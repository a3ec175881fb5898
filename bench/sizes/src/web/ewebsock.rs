//! Connects to a server, greets it, shows the answer, and closes.

use std::ops::ControlFlow;
use std::sync::{Arc, Mutex};

use ewebsock::{Options, WsEvent, WsMessage, WsSender};
use web_sys::console;

fn main() {
    let sender: Arc<Mutex<Option<WsSender>>> = Arc::default();
    let current = Arc::clone(&sender);
    let on_event = move |event| {
        match event {
            WsEvent::Opened => {
                if let Ok(Some(sender)) = current.lock().as_deref_mut().map(Option::as_mut) {
                    sender.send(WsMessage::Text("hello".into()));
                }
            }
            WsEvent::Message(WsMessage::Text(text)) => {
                console::log_1(&text.into());
                if let Ok(Some(sender)) = current.lock().as_deref_mut().map(Option::as_mut) {
                    sender.close();
                }
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
        Ok(connected) => *sender.lock().expect("nothing panics") = Some(connected),
        Err(error) => console::log_1(&error.into()),
    }
}
