//! WebSocket connections on tokio: [`connect`] as a client, [`accept`] as a server, and a
//! [`Socket`] to receive, send and close.
//!
//! The rules of the protocol are those of [`proto`]; this crate moves the bytes.
//!
//! # Example
//!
//! A server that sends every message back, and a client that tries it:
//!
//! ```
//! use fullduplex_net::{AcceptOptions, ConnectOptions, accept, connect, proto};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
//! let url = proto::Url::parse(&format!("ws://{}/", listener.local_addr()?))?;
//! tokio::spawn(async move {
//!     let (stream, _) = listener.accept().await.expect("a client connects");
//!     let mut socket = accept(stream, &AcceptOptions::default()).await?;
//!     while let Some(message) = socket.recv().await? {
//!         socket.send(message).await?;
//!     }
//!     Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
//! });
//!
//! let mut socket = connect(&url, &ConnectOptions::default()).await?;
//! socket.send("hello").await?;
//! assert_eq!(socket.recv().await?, Some("hello".into()));
//! assert!(socket.close(None).await?.was_clean());
//! # Ok(())
//! # }
//! ```
//!
//! # Features
//!
//! - `hyper`: `WebSocketUpgrade`, for a service of hyper or tower that has other resources too.
//! - `axum`: the same as an extractor of axum.

mod accept;
mod alarm;
#[cfg(feature = "axum")]
mod axum;
mod byte_stream;
mod connect;
mod connect_error;
mod connect_options;
mod connections;
mod connector;
mod cookies;
mod core;
mod counters;
mod delta;
mod dial;
mod driving;
mod fallback;
mod group;
mod guard;
mod halves;
mod handshake;
mod input;
mod link;
mod mailbox;
mod message_stream;
mod network;
mod observer;
mod opening;
mod proxy;
mod random;
mod redirects;
mod registry;
mod rejected;
mod request;
mod resolve;
mod route;
mod seat;
mod server;
mod session;
mod socket;
mod task;
mod time;
mod tls;
mod transport;
mod turn;
#[cfg(feature = "hyper")]
mod upgrade;

#[cfg(feature = "axum")]
pub use self::axum::UpgradeRejection;
pub use accept::{AcceptError, AcceptOptions, accept};
pub use byte_stream::ByteStream;
pub use connect::{connect, connect_over, connect_transport};
pub use connect_error::{AddressFailure, ConnectError, ConnectPhase};
pub use connect_options::{ConnectConcurrency, ConnectOptions};
pub use connections::{Connections, Drained, ServerOptions};
pub use connector::{Connecting, Connector};
pub use cookies::CookieStore;
pub use counters::Counts;
pub use fullduplex_proto as proto;
pub use group::{Group, Member, OverflowPolicy, Sent};
pub use mailbox::{Sender, SenderClosedError, TrySendError};
pub use message_stream::MessageStream;
pub use observer::{ConnectObserver, ConnectStep};
pub use opening::OpeningError;
pub use proxy::{Proxies, Proxy, ProxyError, ProxyUrlError};
pub use redirects::{RedirectError, Redirects};
pub use rejected::Rejected;
pub use request::Request;
pub use resolve::{Resolve, Resolving};
pub use server::Server;
pub use socket::{SendError, Socket, SocketError};
pub use task::{HandlerPanicError, Outcome};
pub use tls::{Identity, IdentityError, Tls, TlsBuilder, TlsConfigError};
pub use transport::Transport;
#[cfg(feature = "hyper")]
pub use upgrade::WebSocketUpgrade;
