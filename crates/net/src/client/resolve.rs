use std::fmt;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;

/// What becomes of the name of a host.
pub type Resolving<'a> = Pin<Box<dyn Future<Output = io::Result<Vec<SocketAddr>>> + Send + 'a>>;

/// Finds the addresses of hosts, in place of the system.
///
/// ```
/// use std::net::{Ipv4Addr, SocketAddr};
/// use fullduplex_net::{Resolve, Resolving};
///
/// /// Everything is here.
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
    /// The addresses of `host`, with `port`, the best first. It is not asked for a host that is an
    /// address. It may be dropped when it takes too long.
    fn resolve<'a>(&'a self, host: &'a str, port: u16) -> Resolving<'a>;
}
