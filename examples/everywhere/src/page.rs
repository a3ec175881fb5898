use std::cell::RefCell;
use std::rc::Rc;

use wasm_bindgen::JsCast;
use wasm_bindgen::prelude::Closure;
use web_sys::{Document, Element, Event, HtmlElement, HtmlInputElement};

use crate::chat::{Chat, Line};

/// Connects the forms of index.html with the chat.
pub(crate) fn run() {
    let Some(page) = Page::current() else { return };
    let chat: Rc<RefCell<Option<Chat>>> = Rc::default();

    page.input("room").set_value(&page.room());
    let (joining, current) = (page.clone(), Rc::clone(&chat));
    page.on("join", "submit", move |_| {
        let (url, name) = (joining.input("room").value(), joining.input("name").value());
        let shown = joining.clone();
        match Chat::join(&url, &name, move |line| shown.show(&line, "theirs")) {
            Ok(joined) => {
                *current.borrow_mut() = Some(joined);
                joining.set_joined(true);
                joining.input("text").focus().ok();
            }
            Err(error) => joining.show(&Line::Note(error.to_string()), "theirs"),
        }
    });
    let (saying, current) = (page.clone(), Rc::clone(&chat));
    page.on("say", "submit", move |_| {
        let text = saying.input("text").value();
        if let Some(chat) = &*current.borrow()
            && !text.is_empty()
        {
            saying.show(&chat.say(&text), "mine");
            saying.input("text").set_value("");
        }
    });
    let leaving = page.clone();
    page.on("leave", "click", move |_| {
        if let Some(chat) = chat.borrow_mut().take() {
            chat.leave();
            leaving.set_joined(false);
        }
    });
}

#[derive(Clone)]
struct Page(Document);

impl Page {
    fn current() -> Option<Self> {
        Some(Self(web_sys::window()?.document()?))
    }

    /// Returns the URL behind `?` in the page's address, or that of a room on this machine.
    fn room(&self) -> String {
        let search = self.0.location().and_then(|location| location.search().ok());
        let room = search.unwrap_or_default().trim_start_matches('?').to_owned();
        if room.is_empty() { "ws://127.0.0.1:9001/".into() } else { room }
    }

    fn element(&self, id: &str) -> Element {
        self.0.get_element_by_id(id).expect("index.html has this element")
    }

    fn input(&self, id: &str) -> HtmlInputElement {
        self.element(id).unchecked_into()
    }

    /// Adds a listener for as long as the page lives.
    fn on(&self, id: &str, event: &str, listen: impl Fn(Event) + 'static) {
        let listener = Closure::<dyn Fn(Event)>::new(move |event: Event| {
            event.prevent_default();
            listen(event);
        });
        let function = listener.into_js_value().unchecked_into();
        self.element(id).add_event_listener_with_callback(event, &function).ok();
    }

    /// Adds a line to the log. The text is never parsed as HTML.
    fn show(&self, line: &Line, who: &str) {
        let Ok(item) = self.0.create_element("li") else { return };
        let (class, name, text) = match line {
            Line::Said { name, text } => (who, Some(name), text),
            Line::Note(note) => ("note", None, note),
        };
        item.set_class_name(class);
        if let (Some(name), Ok(label)) = (name, self.0.create_element("b")) {
            label.set_text_content(Some(name));
            item.append_child(&label).ok();
        }
        if let Ok(bubble) = self.0.create_element("span") {
            bubble.set_text_content(Some(text));
            item.append_child(&bubble).ok();
        }
        self.element("log").append_child(&item).ok();
        item.scroll_into_view();
    }

    fn set_joined(&self, is_joined: bool) {
        let body = self.0.body().map(|body: HtmlElement| body.class_list());
        if let Some(classes) = body {
            classes.toggle_with_force("joined", is_joined).ok();
        }
    }
}
