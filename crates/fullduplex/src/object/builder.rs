use std::net::IpAddr;
#[cfg(unix)]
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use fullduplex_net::proto::handshake::{Origin, is_reserved_header};
use fullduplex_net::proto::{DeflateConfig, Limits, Timeouts, Url, UrlError};
use fullduplex_net::{
    ConnectConcurrency, ConnectOptions, Connector, CookieStore, Proxies, Redirects, Resolve, Tls,
};
use http::header::{AUTHORIZATION, CACHE_CONTROL, COOKIE, ORIGIN, PRAGMA, PROXY_AUTHORIZATION};
use http::{HeaderName, HeaderValue};

use crate::native::driver;
use crate::native::runtime;
use crate::native::shared::Shared;
use crate::object::error::{Error, HeaderError};
use crate::object::ports;
use crate::object::protocols::Protocols;
use crate::object::websocket::WebSocket;
use crate::rules::machine::AfterClose;
use crate::rules::machine::Machine;

/// How many bytes may wait for the network by default: 256 MiB.
const BUFFER_LIMIT: u64 = 256 << 20;

/// Which ports a socket may connect to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Ports {
    /// All but the 83 that Fetch blocks because other protocols live there, as in a browser.
    #[default]
    Fetch,
    /// All.
    Any,
}

/// A socket with options beyond the standard's. Unused, they change nothing.
#[derive(Debug, Clone)]
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
        // WS-3.1: cache mode "no-store", which makes Fetch add these.
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
    /// A `SyntaxError` for a name that is not a token or is repeated; for a bad URL as well, since
    /// the standard looks at the URL first.
    pub fn protocols(mut self, protocols: impl Protocols) -> Result<Self, Error> {
        self.url.clone()?;
        self.connect.subprotocols = protocols.into_subprotocols()?;
        Ok(self)
    }

    /// Adds a header to the opening request, such as `Authorization`. The user and the password of the URL
    /// are sent as that by themselves.
    ///
    /// # Errors
    /// [`Error::Header`] for what is no header, or is one of the handshake's own.
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Result<Self, Error> {
        let bad = |reason: &str| {
            Error::Header(HeaderError { name: name.to_owned(), reason: reason.to_owned() })
        };
        let header = HeaderName::try_from(name).map_err(|_| bad("the name is not a token"))?;
        let mut value = HeaderValue::from_bytes(value.as_ref())
            .map_err(|_| bad("the value has a line break or another control character"))?;
        is_reserved_header(&header).map_err(|_| bad("it belongs to the handshake"))?;
        // Whoever prints the builder prints no secret.
        value.set_sensitive(matches!(header, AUTHORIZATION | COOKIE | PROXY_AUTHORIZATION));
        self.connect.headers.append(header, value);
        Ok(self)
    }

    /// Says from which page the request comes, as a browser does. Default: it does not say so.
    pub fn origin(mut self, origin: &Origin) -> Self {
        let value = HeaderValue::try_from(origin.to_string());
        self.connect.headers.insert(ORIGIN, value.expect("an origin is ASCII without spaces"));
        self
    }

    /// Where cookies come from and go to. Default: there are none.
    pub fn cookies(mut self, cookies: Arc<dyn CookieStore>) -> Self {
        self.connect.cookies = Some(cookies);
        self
    }

    /// How often the server may send the client elsewhere, as [`Redirects`] says. Default: never, as in a
    /// browser.
    pub fn redirects(mut self, limit: u32) -> Self {
        self.connect.redirects = Redirects::up_to(limit);
        self
    }

    /// Whom to trust for `wss`, and what to show of this client. Default: the platform's roots, and
    /// nothing.
    pub fn tls(mut self, tls: Tls) -> Self {
        self.connect.tls = Some(tls);
        self
    }

    /// Connects through a [`Proxy`](crate::Proxy), or through what [`Proxies::from_env`] says. Default:
    /// directly, and the environment is not asked.
    pub fn proxy(mut self, proxies: impl Into<Proxies>) -> Self {
        self.connect.proxies = proxies.into();
        self
    }

    /// Who finds the host's addresses. Default: the system.
    pub fn resolver(mut self, resolver: Arc<dyn Resolve>) -> Self {
        self.connect.resolver = Some(resolver);
        self
    }

    /// The address of this machine to connect from. Default: the system chooses.
    pub fn local_address(mut self, address: IpAddr) -> Self {
        self.connect.local_address = Some(address);
        self
    }

    /// Connects with a server of this machine by its socket, whatever host the URL names; by TLS as well
    /// where that is `wss`.
    #[cfg(unix)]
    pub fn unix_socket(mut self, path: impl Into<PathBuf>) -> Self {
        self.connect.unix_socket = Some(path.into());
        self
    }

    /// Who opens the stream to the server, in place of TCP and proxies.
    pub fn connector(mut self, connector: Arc<dyn Connector>) -> Self {
        self.connect.connector = Some(connector);
        self
    }

    /// Whether connections with one address wait for each other while they are opened. Default: they do.
    pub fn handshakes(mut self, handshakes: ConnectConcurrency) -> Self {
        self.connect.concurrency = handshakes;
        self
    }

    /// What of permessage-deflate is offered to the server; nothing with `None`. Default: all of it
    /// (WS-3.4).
    pub fn deflate(mut self, deflate: impl Into<Option<DeflateConfig>>) -> Self {
        self.connect.deflate = deflate.into();
        self
    }

    /// What the server may send.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.connect.limits = limits;
        self
    }

    /// How long it may take to resolve the host and to connect by TCP; and again, to be connected by a
    /// proxy. Default: 20 s.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect.connect_timeout = timeout;
        self
    }

    /// How long the opening handshake may take, TLS included. Default: 10 s.
    pub fn handshake_timeout(mut self, timeout: Duration) -> Self {
        self.connect.handshake_timeout = timeout;
        self
    }

    /// How long the server may take once the connection is open, and how often it is asked whether it is
    /// still there. By default it is not asked.
    pub fn timeouts(mut self, timeouts: Timeouts) -> Self {
        self.connect.timeouts = timeouts;
        self
    }

    /// What happens to messages that arrive after [`WebSocket::close`]. Default: they are delivered.
    pub fn after_close(mut self, after_close: AfterClose) -> Self {
        self.after_close = after_close;
        self
    }

    /// Which ports may be connected to. Default: those that a browser allows.
    pub fn ports(mut self, ports: Ports) -> Self {
        self.ports = ports;
        self
    }

    /// How many bytes may wait for the network; sending more fails the connection. Default: 256 MiB.
    pub fn buffer_limit(mut self, bytes: u64) -> Self {
        self.buffer_limit = bytes;
        self
    }

    /// What has been chosen for the network: for `fullduplex_net::connect`, where the object is not wanted.
    pub fn connect_options(&self) -> &ConnectOptions {
        &self.connect
    }

    /// As [`WebSocket::new`].
    ///
    /// # Errors
    /// A `SyntaxError` for a URL that is not one of a WebSocket.
    pub fn open(self) -> Result<WebSocket, Error> {
        self.open_with(|_| {})
    }

    /// As [`WebSocket::with`].
    ///
    /// # Errors
    /// As [`Builder::open`].
    pub fn open_with(mut self, setup: impl FnOnce(&WebSocket)) -> Result<WebSocket, Error> {
        let url = self.url?;
        if self.ports == Ports::Fetch {
            let redirects = self.connect.redirects;
            self.connect.redirects = redirects.only_if(|url| !ports::is_blocked(url.port()));
        }
        let origin = Arc::from(url.origin());
        let machine = Machine::new(origin, self.after_close, self.buffer_limit);
        let shared = Arc::new(Shared::new(url, machine));
        let socket = WebSocket::new_handle(&shared);
        // Made before `setup` runs: should that panic, the driver ends the socket as it is dropped.
        let driver = driver::run(shared, self.connect, self.ports);
        setup(&socket);
        runtime::spawn(driver);
        Ok(socket)
    }
}
