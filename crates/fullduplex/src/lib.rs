//! The standard `WebSocket` object for Rust, with a fast and strict protocol engine.
//!
//! [`WebSocket`] is the class that [WHATWG defines](https://websockets.spec.whatwg.org/), with the
//! standard's names in snake case. The constructor returns immediately, and everything else is an
//! event. It works with and without an async runtime, and `wss://` needs no setup.
//!
//! ```sh
//! cargo add fullduplex
//! ```
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
//! | to | use |
//! |---|---|
//! | handle events on a background thread or a tokio task | [`WebSocket::with`] and `set_onmessage` |
//! | await events | [`WebSocket::events`], a [`Stream`](futures_core::Stream) |
//! | take events in the loop of your application, such as a game | [`Events::try_next`] |
//! | send at the pace of the network | [`WebSocket::buffered_below`] |
//! | reconnect when a connection ends | [`ReconnectingWebSocket`] |
//! | set headers, TLS, a proxy, timeouts, limits, compression | [`WebSocket::builder`] |
//! | learn why a connection failed | [`WebSocket::failure`] |
//! | detect a dead server | [`Builder::timeouts`], [`WebSocket::round_trip`] |
//! | await messages without the object, or run a server | [`net`]: `connect`, `Server` |
//! | accept WebSockets in hyper or axum | the features `hyper` and `axum`, and [`net`] |
//! | share one connection between many sockets | the feature `http2`, and [`Builder::http`] |
//! | bind the object to another language | [`rules`] and [`host`] |
//!
//! Messages are compressed if the server agrees. Inside a tokio runtime, which must have I/O and
//! time enabled, each socket is a task. Without a runtime, one background thread serves all sockets
//! of the process.
//!
//! # In a browser
//!
//! On `wasm32-unknown-unknown`, the same types use the `WebSocket` object of the host: a page or a worker in a browser,
//! or Node.js. The source code of a program stays the same. These items are not available there:
//!
//! - [`WebSocket::wait`], because a page must not block. Await [`WebSocket::closed`].
//! - [`WebSocket::ping`], [`WebSocket::round_trip`], and [`ReconnectingWebSocket::disappear`].
//! - the options of [`Builder`] except for subprotocols, [`net`], and [`host`].
//!
//! The object of Node.js 20 deviates from the standard: if a connection fails or is closed before it is
//! open, the object fires no `close` event. A [`ReconnectingWebSocket`] then does not reconnect. Firefox opens a
//! connection although the server selected none of the offered subprotocols; look at [`WebSocket::protocol`].
//!
//! Handlers run on the thread of the page and need not be [`Send`]: see [`MaybeSend`]. If a method behaves
//! differently in a browser, its documentation describes the difference.
//!
//! # Features
//!
//! On by default; a program without them is smaller and builds faster:
//!
//! - `tls`: `wss://`, by rustls, which needs a C compiler. Without it, a `wss://` socket fails.
//! - `proxy`: HTTP and SOCKS5 proxies.
//! - `deflate`: permessage-deflate. Without it, compression is neither offered nor accepted.
//!
//! Off by default: `hyper` and `axum`, which accept WebSockets in these servers. In a browser, no feature has an
//! effect.
//!
//! The folder `examples` has a short program for most rows of the table above.

#![cfg_attr(docsrs, feature(doc_cfg))]
#![cfg_attr(
    target_family = "wasm",
    allow(clippy::arc_with_non_send_sync, reason = "other targets have threads")
)]

mod backend;
#[cfg(target_family = "wasm")]
mod browser;
#[cfg(not(target_family = "wasm"))]
pub mod host;
#[cfg(not(target_family = "wasm"))]
mod native;
mod object;
pub mod reconnect;
pub mod rules;

pub use backend::Failure;
pub use backend::builder::Builder;
pub use fullduplex_proto::handshake::{Origin, OriginError};
pub use fullduplex_proto::{
    CompressionLevel, CompressionLevelError, ContextParams, ContextTakeover, Credentials,
    DeflateConfig, Limits, Message, Text, Timeouts, Url, WindowBits, WindowBitsError,
};
#[cfg(not(target_family = "wasm"))]
pub use native::public::*;
pub use object::events::Events;
pub use object::listeners::ListenerId;
pub use object::maybe_send::MaybeSend;
pub use object::protocols::Protocols;
pub use object::websocket::WebSocket;
pub use reconnect::{
    Backoff, Lost, LostCause, OutboxFullError, OutboxLimits, OutboxOverflow, ReconnectState,
    ReconnectingBuilder, ReconnectingEvent, ReconnectingEventType, ReconnectingEvents,
    ReconnectingWebSocket, Undelivered, UndeliveredReason,
};
pub use rules::error::{Error, HeaderError};
pub use rules::event::{BinaryType, CloseEvent, Data, Event, EventType, MessageEvent, ReadyState};
pub use rules::machine::AfterClose;
pub use rules::ports::Ports;

/// Compiles the examples of the README.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;
