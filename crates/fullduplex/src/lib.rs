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

mod backend;
pub mod host;
mod native;
mod object;
pub mod reconnect;
pub mod rules;

pub use fullduplex_net as net;
pub use fullduplex_net::{
    ConnectConcurrency, ConnectOptions, Connecting, Connector, CookieStore, Proxies, Proxy,
    ProxyUrlError, Redirects, Resolve, Resolving, Tls, TlsBuilder, TlsConfigError, Transport,
};
pub use fullduplex_proto::handshake::{Origin, OriginError};
pub use fullduplex_proto::{
    Context, ContextTakeover, Credentials, Deflate, Limits, Message, Text, Timeouts, Url,
    WindowBits, WindowBitsError,
};
pub use native::builder::Builder;
pub use native::failure::Failure;
pub use object::events::Events;
pub use object::listeners::ListenerId;
pub use object::protocols::Protocols;
pub use object::websocket::WebSocket;
pub use reconnect::{
    Backoff, Lost, LostCause, OutboxFullError, OutboxLimits, OutboxOverflow, ReconnectState,
    ReconnectingBuilder, ReconnectingEvent, ReconnectingEventType, ReconnectingEvents,
    ReconnectingWebSocket, Undelivered, Undelivery,
};
pub use rules::error::{Error, HeaderError};
pub use rules::event::{BinaryType, CloseEvent, Data, Event, EventType, MessageEvent, ReadyState};
pub use rules::machine::AfterClose;
pub use rules::ports::Ports;

/// The examples of the README, compiled.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;
