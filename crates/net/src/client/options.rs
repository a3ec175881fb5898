use std::net::IpAddr;
#[cfg(unix)]
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use fullduplex_proto::handshake::{Origin, Subprotocols};
use fullduplex_proto::{DeflateConfig, Limits, Timeouts};
use http::header::{HOST, ORIGIN};
use http::{HeaderMap, HeaderValue};

use crate::client::connector::Connector;
use crate::client::cookies::CookieStore;
use crate::client::headers::{self, HeaderError};
use crate::client::redirects::Redirects;
use crate::client::resolve::Resolve;
use crate::observer::{ConnectObserver, ConnectStep};
use crate::proxy::Proxies;
use crate::tls::Tls;

/// Options of a connection that a client opens. By default, compression is offered, no subprotocol is
/// offered, the platform's roots are trusted, and no proxy is used.
///
/// Each option is a field and a method of the same name:
///
/// ```
/// use std::time::Duration;
/// use fullduplex_net::{ConnectOptions, Proxies};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let options = ConnectOptions::new()
///     .header("Authorization", "Bearer 123")?
///     .proxies(Proxies::from_env()?)
///     .connect_timeout(Duration::from_secs(5));
/// let same_timeout = ConnectOptions { connect_timeout: options.connect_timeout, ..Default::default() };
/// # Ok(())
/// # }
/// ```
///
/// Releases add fields: end a struct literal with `..Default::default()`.
#[derive(Debug, Clone)]
#[must_use = "options have no effect until they are passed to `connect`"]
pub struct ConnectOptions {
    /// Subprotocols to offer, in order of preference. Default: none.
    pub subprotocols: Subprotocols,
    /// Parameters of permessage-deflate to offer, or `None` for no compression.
    pub deflate: Option<DeflateConfig>,
    /// Additional headers of the opening request (RFC6455-4.1-22). Headers of the handshake itself are
    /// refused with [`ConnectError::ReservedHeader`](crate::ConnectError::ReservedHeader). No `Origin` is
    /// sent unless it is here: only browsers must send one (RFC6455-4.1-19).
    ///
    /// A user and password in the URL are sent as `Authorization`, unless that header is here. `Debug` hides
    /// values that are [marked as sensitive](http::HeaderValue::set_sensitive);
    /// [`header`](Self::header) marks secrets.
    pub headers: HeaderMap,
    /// Store that provides and receives cookies. Default: none.
    pub cookies: Option<Arc<dyn CookieStore>>,
    /// Which redirects are followed. Default: none.
    pub redirects: Redirects,
    /// TLS settings for `wss`. `None` trusts the platform's roots.
    pub tls: Option<Tls>,
    /// Proxies to connect through (RFC6455-4.1-6). Default: none; the environment is not read.
    pub proxies: Proxies,
    /// Resolver of host names. `None` uses the system's.
    pub resolver: Option<Arc<dyn Resolve>>,
    /// Local address to connect from. `None` lets the system choose.
    pub local_address: Option<IpAddr>,
    /// Path of a Unix socket. The client connects to it instead of the URL's host. The request and TLS still
    /// use the host's name. No proxy is used.
    #[cfg(unix)]
    pub unix_socket: Option<PathBuf>,
    /// Connector that opens the stream to the server. It replaces TCP, proxies and Unix sockets.
    pub connector: Option<Arc<dyn Connector>>,
    /// Whether connections to one address are opened one after the other. Default:
    /// [`ConnectConcurrency::Unlimited`].
    pub concurrency: ConnectConcurrency,
    /// Which version of HTTP carries the connection. Default: [`Http::One`].
    pub http: Http,
    /// Limits on what the server sends.
    pub limits: Limits,
    /// Time limit for resolving the host and connecting over TCP, all addresses together. If a proxy is used,
    /// its connection to the server has a second limit of the same length. The limit does not include the
    /// wait of [`ConnectConcurrency::OnePerAddress`]. Default: 20 s.
    pub connect_timeout: Duration,
    /// Time limit for TLS and the opening handshake together. Default: 10 s.
    pub handshake_timeout: Duration,
    /// Time limits of the open connection. By default no pings are sent.
    pub timeouts: Timeouts,
    /// Observer that receives each step of connecting.
    pub observer: Option<Arc<dyn ConnectObserver>>,
}

/// The version of HTTP that carries a connection of a client.
///
/// With HTTP/2 (RFC 8441), the connections of one tokio runtime to one origin are streams of one TCP connection,
/// if they have the same options for TLS, proxies and everything else that determines the route. This saves the
/// handshakes of TCP and TLS, and memory. A TCP connection without streams ends after about a minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Http {
    /// HTTP/1.1, which every server of WebSockets supports.
    #[default]
    One,
    /// HTTP/2. A server without it is an error. A `ws` server is assumed to speak HTTP/2 ("prior knowledge").
    #[cfg(feature = "http2")]
    Two,
    /// HTTP/2 if the server chooses it in the TLS handshake and supports WebSockets over it, and otherwise
    /// HTTP/1.1. For `ws`, HTTP/1.1. A server without HTTP/2 is remembered for ten minutes.
    #[cfg(feature = "http2")]
    Auto,
}

impl Http {
    /// Returns the protocol that the server has to choose by ALPN.
    pub(crate) fn required_alpn(self) -> Option<&'static [u8]> {
        match self {
            #[cfg(feature = "http2")]
            Self::Two => Some(crate::http2::ALPN),
            _ => None,
        }
    }
}

/// How many connections to one address this process opens at the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum ConnectConcurrency {
    /// Any number.
    #[default]
    Unlimited,
    /// One, as RFC 6455 requires of a client (RFC6455-4.1-3), and as in browsers. Later connections wait. A
    /// waiting connection fails when the address has not answered any connection for
    /// [`connect_timeout`](ConnectOptions::connect_timeout). Behind a proxy, each host name counts as one
    /// address.
    ///
    /// A [`connect`](crate::connect) future that is kept but not polled blocks all others to its address.
    OnePerAddress,
}

impl ConnectOptions {
    /// Returns the default options.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the [subprotocols](Self::subprotocols) to offer, in order of preference.
    pub fn subprotocols(mut self, subprotocols: Subprotocols) -> Self {
        self.subprotocols = subprotocols;
        self
    }

    /// Sets the [permessage-deflate](Self::deflate) parameters to offer; `None` turns compression off.
    pub fn deflate(mut self, deflate: impl Into<Option<DeflateConfig>>) -> Self {
        self.deflate = deflate.into();
        self
    }

    /// Adds a header to the opening request. A header that is added twice is sent twice. A `Host` header
    /// replaces the host of the URL in the request, but TLS still uses the host of the URL. Values of [secret
    /// headers](crate::is_secret_header) are marked as sensitive.
    ///
    /// # Errors
    /// [`HeaderError`] if the name or the value is malformed, or if the handshake itself sets the header.
    pub fn header(
        mut self,
        name: impl AsRef<str>,
        value: impl AsRef<[u8]>,
    ) -> Result<Self, HeaderError> {
        let (name, value) = headers::parse(name.as_ref(), value.as_ref())?;
        if name == HOST {
            self.headers.insert(name, value);
        } else {
            self.headers.append(name, value);
        }
        Ok(self)
    }

    /// Replaces all [additional headers](Self::headers) of the opening request.
    pub fn headers(mut self, headers: HeaderMap) -> Self {
        self.headers = headers;
        self
    }

    /// Sets the `Origin` header.
    pub fn origin(mut self, origin: &Origin) -> Self {
        let value = HeaderValue::try_from(origin.to_string());
        self.headers.insert(ORIGIN, value.expect("an origin is ASCII without spaces"));
        self
    }

    /// Sets the [cookie store](Self::cookies).
    pub fn cookies(mut self, cookies: Arc<dyn CookieStore>) -> Self {
        self.cookies = Some(cookies);
        self
    }

    /// Sets which [redirects](Self::redirects) are followed.
    pub fn redirects(mut self, redirects: Redirects) -> Self {
        self.redirects = redirects;
        self
    }

    /// Sets [TLS](Self::tls) options for `wss`.
    pub fn tls(mut self, tls: Tls) -> Self {
        self.tls = Some(tls);
        self
    }

    /// Connects through a [`Proxy`](crate::Proxy), or through those of [`Proxies::from_env`].
    pub fn proxies(mut self, proxies: impl Into<Proxies>) -> Self {
        self.proxies = proxies.into();
        self
    }

    /// Sets the [resolver](Self::resolver) of host names.
    pub fn resolver(mut self, resolver: Arc<dyn Resolve>) -> Self {
        self.resolver = Some(resolver);
        self
    }

    /// Sets the [local address](Self::local_address) to connect from.
    pub fn local_address(mut self, address: IpAddr) -> Self {
        self.local_address = Some(address);
        self
    }

    /// Connects to the [Unix socket](Self::unix_socket) at `path` instead of the URL's host.
    #[cfg(unix)]
    pub fn unix_socket(mut self, path: impl Into<PathBuf>) -> Self {
        self.unix_socket = Some(path.into());
        self
    }

    /// Sets the [connector](Self::connector), which opens the stream to the server.
    pub fn connector(mut self, connector: Arc<dyn Connector>) -> Self {
        self.connector = Some(connector);
        self
    }

    /// Sets whether connections to one address are opened [one after the other](Self::concurrency).
    pub fn concurrency(mut self, concurrency: ConnectConcurrency) -> Self {
        self.concurrency = concurrency;
        self
    }

    /// Sets the [version of HTTP](Self::http).
    pub fn http(mut self, version: Http) -> Self {
        self.http = version;
        self
    }

    /// Sets the [limits](Self::limits) on what the server sends.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Sets the time limit for [connecting](Self::connect_timeout) over TCP.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// Sets the time limit for TLS and the [opening handshake](Self::handshake_timeout).
    pub fn handshake_timeout(mut self, timeout: Duration) -> Self {
        self.handshake_timeout = timeout;
        self
    }

    /// Sets the [time limits](Self::timeouts) of the open connection.
    pub fn timeouts(mut self, timeouts: Timeouts) -> Self {
        self.timeouts = timeouts;
        self
    }

    /// Sets the [observer](Self::observer) that receives each step of connecting.
    pub fn observer(mut self, observer: Arc<dyn ConnectObserver>) -> Self {
        self.observer = Some(observer);
        self
    }

    pub(crate) fn observe(&self, step: ConnectStep<'_>) {
        if let Some(observer) = &self.observer {
            observer.observe(step);
        }
    }
}

impl Default for ConnectOptions {
    fn default() -> Self {
        let mut timeouts = Timeouts::default();
        timeouts.ping = None;
        Self {
            subprotocols: Subprotocols::default(),
            deflate: Some(DeflateConfig::default()),
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
            concurrency: ConnectConcurrency::default(),
            http: Http::default(),
            limits: Limits::default(),
            connect_timeout: Duration::from_secs(20),
            handshake_timeout: Duration::from_secs(10),
            timeouts,
            observer: None,
        }
    }
}
