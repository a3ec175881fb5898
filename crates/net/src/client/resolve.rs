use std::fmt;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;

/// The future that a [`Resolve`] returns.
pub type Resolving<'a> = Pin<Box<dyn Future<Output = io::Result<Vec<SocketAddr>>> + Send + 'a>>;

/// Resolves host names in place of the system's resolver.
///
/// ```
/// use std::net::{Ipv4Addr, SocketAddr};
/// use fullduplex_net::{Resolve, Resolving};
///
/// /// Resolves every name to this machine.
/// #[derive(Debug)]
/// struct Loopback;
///
/// impl Resolve for Loopback {
///     fn resolve<'a>(&'a self, _host: &'a str, port: u16) -> Resolving<'a> {
///         Box::pin(async move { Ok(vec![SocketAddr::from((Ipv4Addr::LOCALHOST, port))]) })
///     }
/// }
/// ```
pub trait Resolve: fmt::Debug + Send + Sync {
    /// Returns the addresses of `host`, with `port`, in order of preference. This method is not called for a
    /// host that is an address. The future is dropped when it takes too long.
    fn resolve<'a>(&'a self, host: &'a str, port: u16) -> Resolving<'a>;
}
