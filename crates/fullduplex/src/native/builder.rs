use std::net::IpAddr;
#[cfg(unix)]
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use fullduplex_net::{
    ConnectConcurrency, ConnectOptions, Connector, CookieStore, Http, Proxies, Redirects, Resolve,
    Tls,
};
use fullduplex_proto::handshake::Origin;
use fullduplex_proto::{DeflateConfig, Limits, Timeouts, Url, UrlError};
use http::HeaderValue;
use http::header::{CACHE_CONTROL, PRAGMA};

use crate::native::socket::SocketState;
use crate::native::{driver, runtime};
use crate::object::protocols::Protocols;
use crate::object::target::Target;
use crate::object::websocket::WebSocket;
use crate::rules::error::{Error, HeaderError};
use crate::rules::machine::{AfterClose, Machine};
use crate::rules::ports::Ports;

/// The default of [`Builder::buffer_limit`].
const BUFFER_LIMIT: u64 = 256 << 20;

/// Constructors.
impl WebSocket {
    /// Starts to connect and returns in state CONNECTING: `new WebSocket(url, protocols)`.
    ///
    /// No event is lost between this call and the first handler, listener or `events()` on a following
    /// line: see ["When events fire"](Self#when-events-fire).
    ///
    /// `protocols` are offered to the server in order of preference: `()`, one name, or several.
    ///
    /// # Errors
    /// Returns a `SyntaxError` for an invalid URL or invalid subprotocols. Later failures are events.
    pub fn new(url: &str, protocols: impl Protocols) -> Result<Self, Error> {
        Self::with(url, protocols, |_| {})
    }

    /// Connects like [`WebSocket::new`], and calls `setup` before any event can fire.
    ///
    /// # Errors
    /// Returns the errors of [`WebSocket::new`]. After an error, `setup` is not called.
    pub fn with(
        url: &str,
        protocols: impl Protocols,
        setup: impl FnOnce(&Self),
    ) -> Result<Self, Error> {
        Builder::new(url).protocols(protocols)?.open_with(setup)
    }

    /// Returns a builder for options that the standard does not have.
    pub fn builder(url: &str) -> Builder {
        Builder::new(url)
    }
}

/// Builds a [`WebSocket`] with options that the standard does not have. With the defaults, the socket behaves
/// like one from [`WebSocket::new`].
#[derive(Debug, Clone)]
#[must_use = "a builder does nothing until it is opened"]
pub struct Builder {
    url: Result<Url, UrlError>,
    connect: ConnectOptions,
    after_close: AfterClose,
    ports: Ports,
    buffer_limit: u64,
}

impl Builder {
    pub(crate) fn new(url: &str) -> Self {
        // RFC6455-4.1-3
        let mut connect = ConnectOptions::new().concurrency(ConnectConcurrency::OnePerAddress);
        // WS-hs-1: the cache mode "no-store" makes Fetch add these headers.
        let no_cache = HeaderValue::from_static("no-cache");
        connect.headers.insert(PRAGMA, no_cache.clone());
        connect.headers.insert(CACHE_CONTROL, no_cache);
        Self {
            url: Url::parse(url),
            connect,
            after_close: AfterClose::default(),
            ports: Ports::default(),
            buffer_limit: BUFFER_LIMIT,
        }
    }

    /// Offers subprotocols to the server, in order of preference.
    ///
    /// # Errors
    /// Returns a `SyntaxError` for a name that is not a token or is repeated. Also returns a `SyntaxError`
    /// for an invalid URL, because the standard checks the URL first.
    pub fn protocols(mut self, protocols: impl Protocols) -> Result<Self, Error> {
        self.url.clone()?;
        self.connect.subprotocols = protocols.into_subprotocols()?;
        Ok(self)
    }

    /// Adds a header to the opening request, such as `Authorization`. A user and a password in the URL are
    /// sent in `Authorization` without this call.
    ///
    /// # Errors
    /// Returns [`Error::Header`] for an invalid header and for a header that the handshake sets.
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Result<Self, Error> {
        let added = self.connect.header(name, value);
        self.connect = added.map_err(|error| HeaderError(error.to_string()))?;
        Ok(self)
    }

    /// Changes the options of the connection. Use it for an option for which the builder has no method, such
    /// as [`ConnectOptions::observer`].
    pub fn connect(mut self, change: impl FnOnce(ConnectOptions) -> ConnectOptions) -> Self {
        self.connect = change(self.connect);
        self
    }

    /// Sets the `Origin` header, as a browser does. Default: none.
    pub fn origin(self, origin: &Origin) -> Self {
        self.connect(|options| options.origin(origin))
    }

    /// Sets the store of cookies to send and to receive. Default: none.
    pub fn cookies(self, cookies: Arc<dyn CookieStore>) -> Self {
        self.connect(|options| options.cookies(cookies))
    }

    /// Sets how many redirects are followed, as [`Redirects`] describes. Default: none, as in a browser.
    pub fn redirects(self, limit: u32) -> Self {
        self.connect(|options| options.redirects(Redirects::up_to(limit)))
    }

    /// Sets the roots to trust for `wss` and the certificate of this client. Default: the platform's roots
    /// and no certificate.
    pub fn tls(self, tls: Tls) -> Self {
        self.connect(|options| options.tls(tls))
    }

    /// Connects through a [`Proxy`](crate::Proxy), or as [`Proxies::from_env`] says. Default: directly,
    /// without reading the environment.
    pub fn proxy(self, proxies: impl Into<Proxies>) -> Self {
        self.connect(|options| options.proxies(proxies))
    }

    /// Sets the resolver of host names. Default: the system.
    pub fn resolver(self, resolver: Arc<dyn Resolve>) -> Self {
        self.connect(|options| options.resolver(resolver))
    }

    /// Sets the local address to connect from. Default: the system chooses one.
    pub fn local_address(self, address: IpAddr) -> Self {
        self.connect(|options| options.local_address(address))
    }

    /// Connects to a Unix socket instead of the host of the URL. For `wss`, TLS runs over the Unix socket.
    #[cfg(unix)]
    pub fn unix_socket(self, path: impl Into<PathBuf>) -> Self {
        self.connect(|options| options.unix_socket(path))
    }

    /// Sets the connector that opens the stream to the server, instead of TCP and proxies.
    pub fn connector(self, connector: Arc<dyn Connector>) -> Self {
        self.connect(|options| options.connector(connector))
    }

    /// Sets whether connections to one address are opened one after the other. Default: one after the other.
    pub fn concurrency(self, concurrency: ConnectConcurrency) -> Self {
        self.connect(|options| options.concurrency(concurrency))
    }

    /// Sets the version of HTTP that carries the connection. Default: HTTP/1.1. The other versions need the
    /// feature `http2`.
    pub fn http(self, version: Http) -> Self {
        self.connect(|options| options.http(version))
    }

    /// Sets the offer of permessage-deflate; `None` offers nothing. Default: everything (WS-hs-2).
    pub fn deflate(self, deflate: impl Into<Option<DeflateConfig>>) -> Self {
        self.connect(|options| options.deflate(deflate))
    }

    /// Sets limits for what the server sends.
    pub fn limits(self, limits: Limits) -> Self {
        self.connect(|options| options.limits(limits))
    }

    /// Sets the timeout for resolving the host and connecting by TCP. With a proxy, the same timeout applies
    /// again to the connection from the proxy to the server. Default: 20 s.
    pub fn connect_timeout(self, timeout: Duration) -> Self {
        self.connect(|options| options.connect_timeout(timeout))
    }

    /// Sets the timeout for TLS and the opening handshake. Default: 10 s.
    pub fn handshake_timeout(self, timeout: Duration) -> Self {
        self.connect(|options| options.handshake_timeout(timeout))
    }

    /// Sets the timeouts of the open connection and the interval of Pings. Default: no Pings.
    pub fn timeouts(self, timeouts: Timeouts) -> Self {
        self.connect(|options| options.timeouts(timeouts))
    }

    /// Sets whether messages that arrive after [`WebSocket::close`] are delivered. Default: they are
    /// delivered.
    pub fn after_close(mut self, after_close: AfterClose) -> Self {
        self.after_close = after_close;
        self
    }

    /// Sets the ports to which a socket may connect. Default: the ports that a browser allows.
    pub fn ports(mut self, ports: Ports) -> Self {
        self.ports = ports;
        self
    }

    /// Sets the number of bytes that may wait for the network. If an application sends more, the connection
    /// fails. Default: 256 MiB.
    pub fn buffer_limit(mut self, bytes: u64) -> Self {
        self.buffer_limit = bytes;
        self
    }

    /// Returns the options of the connection, for [`net::connect`](fullduplex_net::connect).
    pub fn connect_options(&self) -> &ConnectOptions {
        &self.connect
    }

    /// Starts to connect, like [`WebSocket::new`].
    ///
    /// # Errors
    /// Returns a `SyntaxError` for an invalid URL.
    pub fn open(self) -> Result<WebSocket, Error> {
        self.open_with(|_| {})
    }

    /// Starts to connect, like [`WebSocket::with`].
    ///
    /// # Errors
    /// As [`Builder::open`].
    pub fn open_with(mut self, setup: impl FnOnce(&WebSocket)) -> Result<WebSocket, Error> {
        let url = self.url?;
        if self.ports == Ports::Fetch {
            let redirects = self.connect.redirects;
            self.connect.redirects = redirects.only_if(|url| Ports::Fetch.allow(url.port()));
        }
        let url = Arc::new(url);
        let origin = Arc::from(url.origin());
        let machine = Machine::new(origin, self.after_close, self.buffer_limit);
        let target = Arc::new(Target::new(SocketState::new(Arc::clone(&url), machine)));
        let socket = WebSocket::new_handle(url.as_str().into(), &target);
        // If `setup` panics, the driver ends the socket when it is dropped.
        let driver = driver::run(target, self.connect, self.ports);
        setup(&socket);
        runtime::spawn(driver);
        Ok(socket)
    }
}
