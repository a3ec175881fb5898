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
//! On by default:
//!
//! - `tls`: `wss://` URLs, and servers with TLS, by rustls. Without it, a `wss://` URL is an error.
//! - `proxy`: HTTP and SOCKS5 proxies.
//! - `deflate`: permessage-deflate. Without it, compression is neither offered nor accepted.
//!
//! Off by default:
//!
//! - `hyper`: `WebSocketUpgrade`, for a WebSocket in an HTTP server of hyper or tower.
//! - `http2`: WebSockets over HTTP/2 (RFC 8441), with `Server::with_http2` and `Http::Two`.
//! - `axum`: `WebSocketUpgrade` as an extractor of axum.

#![cfg_attr(docsrs, feature(doc_cfg))]

mod client;
mod http1;
#[cfg(feature = "http2")]
mod http2;
mod observer;
mod pool;
#[cfg(feature = "proxy")]
mod proxy;
mod random;
mod server;
mod socket;
mod time;
#[cfg(feature = "tls")]
mod tls;
mod tls_error;
mod transport;
#[cfg(feature = "hyper")]
mod upgrade;
#[cfg(not(feature = "proxy"))]
mod without_proxy;
#[cfg(not(feature = "tls"))]
mod without_tls;

#[cfg(not(feature = "proxy"))]
use without_proxy as proxy;
#[cfg(not(feature = "tls"))]
use without_tls as tls;

pub use client::connector::{Connecting, Connector};
pub use client::cookies::CookieStore;
pub use client::error::{AddressFailure, ConnectError, ConnectPhase};
pub use client::headers::{HeaderError, is_secret_header};
pub use client::into_url::IntoUrl;
pub use client::options::{ConnectConcurrency, ConnectOptions, Http};
pub use client::redirects::{RedirectError, Redirects};
pub use client::resolve::{Resolve, Resolving};
pub use client::{connect, connect_over, connect_transport};
pub use fullduplex_proto as proto;
pub use fullduplex_proto::{CloseCode, CloseFrame, Limits, Message, Prepared, Text, Timeouts};
pub use http1::read::OpeningError;
pub use http1::rejected::Rejected;
pub use observer::{ConnectObserver, ConnectStep};
pub use pool::counters::Counts;
#[cfg(feature = "proxy")]
pub use proxy::ProxyUrlError;
pub use proxy::{Proxies, Proxy, ProxyError};
pub use server::Server;
pub use server::accept::accept;
pub use server::connections::{Connections, Drained};
pub use server::error::AcceptError;
pub use server::group::{Group, Member, OverflowPolicy, Sent};
pub use server::handler::{HandlerError, HandlerPanicError, HandlerResult, IntoHandlerResult};
#[cfg(feature = "http2")]
pub use server::http2::Http2Options;
pub use server::options::{AcceptOptions, ServerOptions};
pub use server::request::Request;
pub use socket::Socket;
pub use socket::byte_stream::ByteStream;
pub use socket::error::{SendError, SocketError};
pub use socket::options::UpgradedOptions;
pub use socket::sender::{Sender, SenderClosedError, TrySendError};
pub use socket::split::{SocketSink, SocketStream};
pub use tls::{Identity, Tls};
#[cfg(feature = "tls")]
pub use tls::{IdentityError, TlsBuilder};
pub use tls_error::TlsConfigError;
pub use transport::Transport;
#[cfg(feature = "hyper")]
pub use upgrade::WebSocketUpgrade;
#[cfg(feature = "axum")]
pub use upgrade::axum::UpgradeRejection;
