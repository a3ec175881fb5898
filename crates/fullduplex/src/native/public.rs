//! Items that only native programs have.

/// Connections without the object, and the server: the crate `fullduplex-net`.
pub use fullduplex_net as net;
pub use fullduplex_net::{
    ConnectConcurrency, ConnectOptions, Connecting, Connector, CookieStore, Proxies, Proxy,
    ProxyUrlError, Redirects, Resolve, Resolving, Tls, TlsBuilder, TlsConfigError, Transport,
};
