use std::fmt;
use std::io;
use std::net::SocketAddr;

use http::{Request, Response};

/// Observes the steps of connecting, for diagnostics and logs.
///
/// The task that connects calls the observer at each step, so the observer must not block. If a redirect is
/// followed, the steps start again with the first one. For Unix sockets and a
/// [`Connector`](crate::Connector), the first step is TLS or the request.
///
/// ```
/// use fullduplex_net::{ConnectObserver, ConnectStep};
///
/// #[derive(Debug)]
/// struct Addresses;
///
/// impl ConnectObserver for Addresses {
///     fn observe(&self, step: ConnectStep<'_>) {
///         if let ConnectStep::Failed { address, error } = step {
///             println!("could not connect to {address}: {error}");
///         }
///     }
/// }
/// ```
pub trait ConnectObserver: fmt::Debug + Send + Sync {
    /// Receives each step when it happens.
    fn observe(&self, step: ConnectStep<'_>);
}

/// A step of connecting. The variants are in the order of the steps. The final error is not a step: it is the
/// [`ConnectError`](crate::ConnectError).
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum ConnectStep<'a> {
    /// The connection goes through a proxy. The next steps are about the proxy's addresses.
    Proxy {
        /// The proxy's URL, without credentials.
        proxy: &'a str,
    },
    /// The host name is being resolved.
    Resolving {
        /// The host of the URL, or of the proxy.
        host: &'a str,
    },
    /// The host name has been resolved.
    Resolved {
        /// Its addresses, in the order in which they are tried.
        addresses: &'a [SocketAddr],
    },
    /// A TCP connection to an address is attempted, perhaps while other attempts are pending. The first
    /// success cancels the others.
    Attempt {
        /// The address.
        address: SocketAddr,
    },
    /// An attempt failed.
    Failed {
        /// The address.
        address: SocketAddr,
        /// The error of the system.
        error: &'a io::Error,
    },
    /// A TCP connection is established.
    Connected {
        /// The address.
        address: SocketAddr,
    },
    /// The proxy has connected to the server.
    Tunnel,
    /// The server has presented its certificates. They are **not verified yet**.
    Certificates {
        /// The certificates in DER. The server's own certificate is the first.
        chain: &'a [&'a [u8]],
    },
    /// The TLS handshake is complete, and the server's certificate is verified according to the
    /// [`Tls`](crate::Tls) options.
    Tls {
        /// The TLS version, such as `TLSv1_3`.
        version: &'a str,
        /// The cipher suite, such as `TLS13_AES_256_GCM_SHA384`.
        cipher: &'a str,
        /// The protocol that was agreed on by ALPN, such as `h2`.
        alpn: Option<&'a str>,
    },
    /// The opening request will be sent. **It contains secrets**, such as Authorization and cookies.
    Request(&'a Request<()>),
    /// The opening request was sent in a stream of an HTTP/2 connection. The connection may have been opened before:
    /// then the steps before the request are missing.
    Stream {
        /// The number of the stream.
        id: u32,
        /// How many streams the server allows in the connection, if it has set a limit.
        max_streams: Option<usize>,
    },
    /// The head of the server's final response has arrived, with any status.
    Response(&'a Response<()>),
}
