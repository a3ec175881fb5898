use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;

use fullduplex_proto::Url;

use crate::transport::Transport;

/// The future that a [`Connector`] returns.
pub type Connecting<'a> = Pin<Box<dyn Future<Output = io::Result<Transport>> + Send + 'a>>;

/// Opens the stream to a server, in place of TCP and proxies. For example, the stream can lead through SSH,
/// or stay in memory. For `wss`, TLS is used over the stream.
///
/// ```
/// use fullduplex_net::{Connector, Connecting, Transport, proto::Url};
///
/// /// A server in this process, which receives the other end.
/// #[derive(Debug)]
/// struct Memory(tokio::sync::mpsc::UnboundedSender<tokio::io::DuplexStream>);
///
/// impl Connector for Memory {
///     fn connect<'a>(&'a self, _url: &'a Url) -> Connecting<'a> {
///         Box::pin(async move {
///             let (ours, theirs) = tokio::io::duplex(4096);
///             let refused = |_| std::io::Error::from(std::io::ErrorKind::ConnectionRefused);
///             self.0.send(theirs).map_err(refused)?;
///             Ok(Transport::other(ours))
///         })
///     }
/// }
/// ```
pub trait Connector: fmt::Debug + Send + Sync {
    /// Opens a stream to the server of `url`. The future is dropped when it takes longer than
    /// [`ConnectOptions::connect_timeout`](crate::ConnectOptions::connect_timeout).
    fn connect<'a>(&'a self, url: &'a Url) -> Connecting<'a>;
}
