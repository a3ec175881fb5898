//! The standard `WebSocket` object, for Rust.
//!
//! [`WebSocket`] is the class that [WHATWG defines](https://websockets.spec.whatwg.org/): the
//! constructor returns at once, and what happens on the network comes as events. Names are those of
//! the standard, in snake case.
//!
//! ```no_run
//! use fullduplex::WebSocket;
//!
//! fn main() -> Result<(), fullduplex::Error> {
//!     let socket = WebSocket::with("wss://echo.example/", ["chat"], |socket| {
//!         socket.set_onopen(|socket, _| socket.send("hello").expect("the socket is open"));
//!         socket.set_onmessage(|socket, message| {
//!             println!("received {:?}", message.data);
//!             socket.close();
//!         });
//!         socket.set_onclose(|_, close| println!("closed with code {}", close.code));
//!     })?;
//!     socket.wait(); // until it is closed
//!     Ok(())
//! }
//! ```
//!
//! It needs no async runtime: without one, a thread in the background serves all sockets of the
//! process. Inside a tokio runtime (with I/O and time enabled) each socket is a task of it.
//!
//! The events can also be awaited, or drained by a host with a loop of its own: see [`Events`].
//! [`rules`] is for those who bring the object to another language.

mod native;
mod object;
mod reconnect;
pub mod rules;

pub use fullduplex_net::proto::handshake::{Origin, OriginError};
pub use fullduplex_net::proto::{
    ContextParams, ContextTakeover, Credentials, DeflateConfig, Limits, Message, Text, Timeouts,
    Url, WindowBits, WindowBitsError,
};
pub use fullduplex_net::{
    ConnectConcurrency, ConnectOptions, Connecting, Connector, CookieStore, Proxies, Proxy,
    ProxyUrlError, Redirects, Resolve, Resolving, Tls, TlsBuilder, TlsConfigError, Transport,
};
pub use object::builder::{Builder, Ports};
pub use object::error::{Error, Failure, HeaderError};
pub use object::event::{BinaryType, CloseEvent, Data, Event, EventType, MessageEvent, ReadyState};
pub use object::events::{Events, MessageDemand};
pub use object::listeners::ListenerId;
pub use object::protocols::Protocols;
pub use object::websocket::{Reservation, WebSocket};
pub use reconnect::{
    Backoff, Lost, LostCause, OutboxFullError, OutboxLimits, OutboxOverflow, ReconnectState,
    ReconnectingBuilder, ReconnectingEvent, ReconnectingEventType, ReconnectingEvents,
    ReconnectingWebSocket, Undelivered, Undelivery,
};
pub use rules::machine::AfterClose;

/// The examples of the README, compiled.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;
