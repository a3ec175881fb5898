//! WebSocket connections on tokio: [`connect`] as a client, [`accept`] as a server, and a
//! [`Socket`] to receive, send and close.
//!
//! [`proto`] implements the protocol; this crate does the I/O.
//!
//! # Example
//!
//! A server that sends every message back, and a client:
//!
//! ```
//! use fullduplex_net::{AcceptOptions, ConnectOptions, accept, connect};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
//! let url = format!("ws://{}/", listener.local_addr()?);
//! tokio::spawn(async move {
//!     let (stream, _) = listener.accept().await.expect("a client connects");
//!     let mut socket = accept(stream, &AcceptOptions::default()).await?;
//!     while let Some(message) = socket.recv().await? {
//!         socket.send(message).await?;
//!     }
//!     Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
//! });
//!
//! let (mut socket, _response) = connect(url, &ConnectOptions::new()).await?;
//! socket.send("hello").await?;
//! assert_eq!(socket.recv().await?, Some("hello".into()));
//! assert!(socket.close(None).await?.was_clean());
//! # Ok(())
//! # }
//! ```
//!
//! # Features
//!
//! - `hyper`: `WebSocketUpgrade`, for a WebSocket in an HTTP server of hyper or tower.
//! - `axum`: `WebSocketUpgrade` as an extractor of axum.

mod client;
mod http1;
mod observer;
mod pool;
mod proxy;
mod random;
mod server;
mod socket;
mod time;
mod tls;
mod transport;
#[cfg(feature = "hyper")]
mod upgrade;

pub use client::connector::{Connecting, Connector};
pub use client::cookies::CookieStore;
pub use client::error::{AddressFailure, ConnectError, ConnectPhase};
pub use client::headers::{HeaderError, is_secret_header};
pub use client::into_url::IntoUrl;
pub use client::options::{ConnectConcurrency, ConnectOptions};
pub use client::redirects::{RedirectError, Redirects};
pub use client::resolve::{Resolve, Resolving};
pub use client::{connect, connect_over, connect_transport};
pub use fullduplex_proto as proto;
pub use fullduplex_proto::{CloseCode, CloseFrame, Limits, Message, Prepared, Text, Timeouts};
pub use http1::read::OpeningError;
pub use http1::rejected::Rejected;
pub use observer::{ConnectObserver, ConnectStep};
pub use pool::counters::Counts;
pub use proxy::{Proxies, Proxy, ProxyError, ProxyUrlError};
pub use server::Server;
pub use server::accept::accept;
pub use server::connections::{Connections, Drained};
pub use server::error::AcceptError;
pub use server::group::{Group, Member, OverflowPolicy, Sent};
pub use server::handler::{HandlerError, HandlerPanicError, HandlerResult, IntoHandlerResult};
pub use server::options::{AcceptOptions, ServerOptions};
pub use server::request::Request;
pub use socket::Socket;
pub use socket::byte_stream::ByteStream;
pub use socket::error::{SendError, SocketError};
pub use socket::options::UpgradedOptions;
pub use socket::sender::{Sender, SenderClosedError, TrySendError};
pub use socket::split::{SocketSink, SocketStream};
pub use tls::{Identity, IdentityError, Tls, TlsBuilder, TlsConfigError};
pub use transport::Transport;
#[cfg(feature = "hyper")]
pub use upgrade::WebSocketUpgrade;
#[cfg(feature = "axum")]
pub use upgrade::axum::UpgradeRejection;
