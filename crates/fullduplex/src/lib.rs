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
//! [`machine`] is for those who bring the object to another language.

mod builder;
mod driver;
mod error;
mod event;
mod events;
mod listeners;
pub mod machine;
mod park;
mod ports;
mod protocols;
mod queues;
mod reconnect;
mod runtime;
mod shared;
pub mod stream_machine;
mod wakers;
mod websocket;

pub use builder::{Builder, Ports};
pub use error::{BadHeader, Error, Failure};
pub use event::{BinaryType, CloseEvent, Data, Event, EventType, MessageEvent, ReadyState};
pub use events::{Events, Messages};
pub use fullduplex_net::proto::handshake::{InvalidOrigin, Origin};
pub use fullduplex_net::proto::{
    Context, ContextTakeover, Credentials, Deflate, InvalidWindowBits, Limits, Message, Text,
    Timeouts, Url, WindowBits,
};
pub use fullduplex_net::{
    BadProxy, BadTls, Carrier, Carrying, ConnectOptions, Cookies, Handshakes, Proxies, Proxy,
    Redirects, Resolve, Resolving, Tls, TlsBuilder, Transport,
};
pub use listeners::ListenerId;
pub use machine::AfterClose;
pub use protocols::Protocols;
pub use reconnect::{
    Backoff, Lost, LostCause, OutboxFull, OutboxLimits, ReconnectState, ReconnectingBuilder,
    ReconnectingEvent, ReconnectingEventType, ReconnectingEvents, ReconnectingWebSocket,
    Undelivered, Undelivery, WhenFull,
};
pub use websocket::{Reservation, WebSocket};

/// The examples of the README, compiled.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;
