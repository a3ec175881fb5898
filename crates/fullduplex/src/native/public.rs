//! Items that only native programs have.

/// Connections without the object, and the server: the crate `fullduplex-net`.
pub use fullduplex_net as net;
#[cfg(feature = "proxy")]
pub use fullduplex_net::ProxyUrlError;
#[cfg(feature = "tls")]
pub use fullduplex_net::TlsBuilder;
pub use fullduplex_net::{
    ConnectConcurrency, ConnectOptions, Connecting, Connector, CookieStore, Http, Proxies, Proxy,
    Redirects, Resolve, Resolving, Tls, TlsConfigError, Transport,
};
