use std::sync::Arc;

use fullduplex_proto::UrlError;
use fullduplex_proto::handshake::Subprotocols;
use js_sys::Array;
use wasm_bindgen::{JsCast, JsValue};

use crate::browser::driver;
use crate::browser::failure::Failure;
use crate::browser::socket::SocketState;
use crate::object::protocols::Protocols;
use crate::object::target::Target;
use crate::object::websocket::WebSocket;
use crate::rules::error::Error;

/// Constructors.
impl WebSocket {
    /// Starts to connect and returns in state CONNECTING: `new WebSocket(url, protocols)`.
    ///
    /// No event is lost between this call and the first handler, listener or `events()` on a following
    /// line: see ["When events fire"](Self#when-events-fire).
    ///
    /// In a page, the URL may be relative to the URL of the page.
    ///
    /// `protocols` are offered to the server in order of preference: `()`, one name, or several.
    ///
    /// # Errors
    /// Returns a `SyntaxError` for an invalid URL or invalid subprotocols. Later failures are events.
    pub fn new(url: &str, protocols: impl Protocols) -> Result<Self, Error> {
        Self::with(url, protocols, |_| {})
    }

    /// Connects like [`WebSocket::new`], and calls `setup` before any event can fire.
    ///
    /// # Errors
    /// Returns the errors of [`WebSocket::new`]. After an error, `setup` is not called.
    pub fn with(
        url: &str,
        protocols: impl Protocols,
        setup: impl FnOnce(&Self),
    ) -> Result<Self, Error> {
        Builder::new(url).protocols(protocols)?.open_with(setup)
    }

    /// Returns a builder.
    pub fn builder(url: &str) -> Builder {
        Builder::new(url)
    }
}

/// Builds a [`WebSocket`].
///
/// A browser does not support the options of native programs: headers, TLS, proxies, timeouts and limits.
/// The browser adds its own cookies, `Origin` and credentials.
#[derive(Debug, Clone)]
#[must_use = "a builder does nothing until it is opened"]
pub struct Builder {
    url: String,
    subprotocols: Subprotocols,
}

impl Builder {
    pub(crate) fn new(url: &str) -> Self {
        Self { url: url.to_owned(), subprotocols: Subprotocols::default() }
    }

    /// Offers subprotocols to the server, in order of preference.
    ///
    /// # Errors
    /// Returns a `SyntaxError` for a name that is not a token or is repeated.
    pub fn protocols(mut self, protocols: impl Protocols) -> Result<Self, Error> {
        self.subprotocols = protocols.into_subprotocols()?;
        Ok(self)
    }

    /// Starts to connect, like [`WebSocket::new`].
    ///
    /// # Errors
    /// Returns a `SyntaxError` for an invalid URL.
    pub fn open(self) -> Result<WebSocket, Error> {
        self.open_with(|_| {})
    }

    /// Starts to connect, like [`WebSocket::with`].
    ///
    /// # Errors
    /// As [`Builder::open`].
    pub fn open_with(self, setup: impl FnOnce(&WebSocket)) -> Result<WebSocket, Error> {
        let names: Array =
            self.subprotocols.iter().map(|name| JsValue::from_str(name.as_str())).collect();
        let made = web_sys::WebSocket::new_with_str_sequence(&self.url, &names);
        let made = match made.map_err(|exception| exception.unchecked_into()) {
            Ok(socket) => Ok(socket),
            Err(exception) => Err(self.refusal(&exception)?),
        };
        let url = made.as_ref().map_or_else(|_| self.url, web_sys::WebSocket::url);
        let target = Arc::new(Target::new(SocketState::new(made)));
        let socket = WebSocket::new_handle(url.into(), &target);
        setup(&socket);
        driver::start(&target);
        Ok(socket)
    }

    /// Converts an exception of the constructor. Only a `SyntaxError` is returned as an error. Any other
    /// exception becomes a failure, for which the standard fires events.
    fn refusal(&self, exception: &web_sys::DomException) -> Result<Failure, Error> {
        if exception.name() != "SyntaxError" {
            return Ok(Failure::Refused(exception.message()));
        }
        // The browser's message may repeat a password.
        let reason = match self.url.contains('@') {
            true => "the browser does not accept it".to_owned(),
            false => exception.message(),
        };
        Err(UrlError::invalid(&self.url, &reason).into())
    }
}
