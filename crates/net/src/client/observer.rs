use std::fmt;
use std::io;
use std::net::SocketAddr;

use http::{Request, Response};

/// Is told how a connection comes about, while it does: for tools that show it, and for logs.
///
/// It is called by the task that connects, which it must not hold up. When something happens is its
/// own business: each step is told when it happens. A redirect that is followed begins again with
/// [`Resolving`](ConnectStep::Resolving), or with what comes first on its way. Of a Unix socket and of a
/// [`Connector`](crate::client::connector::Connector), nothing is told before TLS.
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
///             println!("{address} takes no connection: {error}");
///         }
///     }
/// }
/// ```
pub trait ConnectObserver: fmt::Debug + Send + Sync {
    /// Takes the next step.
    fn observe(&self, step: ConnectStep<'_>);
}

/// What happens while a client connects, in the order in which it may happen. What went wrong in the end
/// is not told here: [`ConnectError`](crate::client::error::ConnectError) says it.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum ConnectStep<'a> {
    /// The way leads through a proxy. The next steps are about its addresses.
    Proxy {
        /// Its URL, without credentials.
        proxy: &'a str,
    },
    /// The addresses of a host are asked for.
    Resolving {
        /// The host of the URL, or the proxy.
        host: &'a str,
    },
    /// They are known.
    Resolved {
        /// All of them, in the order in which they are tried.
        addresses: &'a [SocketAddr],
    },
    /// An address is tried; others may be under way. One that neither fails nor connects was given up for
    /// another.
    Attempt {
        /// The address.
        address: SocketAddr,
    },
    /// An address takes no connection.
    Failed {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        error: &'a io::Error,
    },
    /// There is a TCP connection.
    Connected {
        /// The address.
        address: SocketAddr,
    },
    /// The proxy has connected with the server.
    Tunnel,
    /// The server shows its certificates, which are **not verified yet**: it is told for the failures.
    Certificates {
        /// In DER, the server's own first.
        chain: &'a [&'a [u8]],
    },
    /// There is a TLS connection with the server, whom the client trusts as [`Tls`](crate::tls::Tls) says.
    Tls {
        /// Such as `TLSv1_3`.
        version: &'a str,
        /// Such as `TLS13_AES_256_GCM_SHA384`.
        cipher: &'a str,
    },
    /// The opening request is about to be sent, **secrets included**: Authorization, cookies.
    Request(&'a Request<()>),
    /// The head of the server's answer has come, whatever it says.
    Response(&'a Response<()>),
}
