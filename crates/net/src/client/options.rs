use std::net::IpAddr;
#[cfg(unix)]
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use fullduplex_proto::handshake::Subprotocols;
use fullduplex_proto::{Deflate, Limits, Timeouts};
use http::HeaderMap;

use crate::client::connector::Connector;
use crate::client::cookies::CookieStore;
use crate::client::observer::{ConnectObserver, ConnectStep};
use crate::client::redirects::Redirects;
use crate::client::resolve::Resolve;
use crate::proxy::Proxies;
use crate::tls::Tls;

/// What a client may choose. The default offers compression and no subprotocol, trusts the platform's
/// roots, and connects directly.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ConnectOptions {
    /// Offered to the server, in order of preference.
    pub subprotocols: Subprotocols,
    /// What of permessage-deflate is offered; nothing when `None`.
    pub deflate: Option<Deflate>,
    /// Further headers of the opening request (RFC6455-4.1-22); those of the handshake itself cannot be
    /// set. There is no Origin unless it is among them: only a browser owes one (RFC6455-4.1-19).
    ///
    /// The user and the password of the URL are sent as `Authorization`, unless that is among them. `Debug`
    /// shows the values that are not [marked as sensitive](http::HeaderValue::set_sensitive).
    pub headers: HeaderMap,
    /// Where cookies come from and go to.
    pub cookies: Option<Arc<dyn CookieStore>>,
    /// Whether a server may send the client elsewhere. By default it may not.
    pub redirects: Redirects,
    /// Whom to trust for `wss`; the platform's roots when `None`.
    pub tls: Option<Tls>,
    /// Which proxy to connect through (RFC6455-4.1-6). Default: none, and the environment is not asked.
    pub proxies: Proxies,
    /// Who finds the host's addresses; the system when `None`.
    pub resolver: Option<Arc<dyn Resolve>>,
    /// The address of this machine to connect from; the system chooses one when `None`.
    pub local_address: Option<IpAddr>,
    /// The socket of a server of this machine to connect with, whatever host the URL names: that is sent
    /// to it, and is whom its certificate is for. No proxy is asked.
    #[cfg(unix)]
    pub unix_socket: Option<PathBuf>,
    /// Who opens the stream to the server, in place of all that is said above of the way there.
    pub connector: Option<Arc<dyn Connector>>,
    /// Whether connections with one address wait for each other while they are opened.
    pub handshakes: ConnectConcurrency,
    /// What the server may send.
    pub limits: Limits,
    /// How long it may take to resolve the host and to connect by TCP, for all its addresses together;
    /// and again, to be connected by a proxy. It begins anew when a turn comes that was waited for, as
    /// [`ConnectConcurrency`] says. Default: 20 s.
    pub connect_timeout: Duration,
    /// From the TCP connection to the end of the opening handshake, TLS included, however the bytes
    /// trickle. Default: 10 s.
    pub handshake_timeout: Duration,
    /// How long the server may take once the connection is open. Pings are not sent by default.
    pub timeouts: Timeouts,
    /// Who is told how the connection comes about.
    pub observer: Option<Arc<dyn ConnectObserver>>,
}

impl ConnectOptions {
    pub(crate) fn observe(&self, step: ConnectStep<'_>) {
        if let Some(observer) = &self.observer {
            observer.observe(step);
        }
    }
}

/// How many connections with one address are opened at a time in this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum ConnectConcurrency {
    /// One, as in a browser (RFC6455-4.1-3): whoever opens many has them one after the other. Who waits
    /// gives up when the address has answered nobody for [`ConnectOptions::connect_timeout`]. Behind a
    /// proxy, each name of a host counts as an address.
    ///
    /// A future of [`connect`](crate::client::connect) that is not polled any more has its turn until it is
    /// dropped: do not wait for another connection, nor for long, while you keep one aside.
    #[default]
    OnePerAddress,
    /// Any number: for a program that tries how much its own server bears.
    Unlimited,
}

impl Default for ConnectOptions {
    fn default() -> Self {
        let mut timeouts = Timeouts::default();
        timeouts.ping = None;
        Self {
            subprotocols: Subprotocols::default(),
            deflate: Some(Deflate::default()),
            headers: HeaderMap::default(),
            cookies: None,
            redirects: Redirects::default(),
            tls: None,
            proxies: Proxies::default(),
            resolver: None,
            local_address: None,
            #[cfg(unix)]
            unix_socket: None,
            connector: None,
            handshakes: ConnectConcurrency::default(),
            limits: Limits::default(),
            connect_timeout: Duration::from_secs(20),
            handshake_timeout: Duration::from_secs(10),
            timeouts,
            observer: None,
        }
    }
}
