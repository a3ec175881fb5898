use std::time::Duration;

use fullduplex_proto::handshake::{HostPolicy, OriginPolicy, Subprotocols};
use fullduplex_proto::{DeflateConfig, Limits, Timeouts};

use crate::pool::PoolLimits;
use crate::pool::budget::BudgetLimits;
use crate::server::open_files;

/// Options for each connection that a server accepts.
///
/// The default accepts no subprotocol and no compression, and refuses pages of other origins.
///
/// ```
/// use fullduplex_net::{AcceptOptions, proto::DeflateConfig};
///
/// let options = AcceptOptions::default().deflate(DeflateConfig::default());
/// // Or, by struct update:
/// let options = AcceptOptions { deflate: Some(DeflateConfig::default()), ..Default::default() };
/// ```
#[derive(Debug, Clone)]
#[must_use]
pub struct AcceptOptions {
    /// The subprotocols that the server supports. It chooses the first of the client's offers that is in this
    /// list. Default: none.
    pub subprotocols: Subprotocols,
    /// The hosts for which the server answers requests. This check protects against DNS rebinding. Default:
    /// any. A [`Server`](crate::Server) on a loopback address answers for `localhost` and IP addresses only.
    /// **Behind a reverse proxy** on the same machine, list the names that the proxy forwards.
    pub hosts: HostPolicy,
    /// Which web pages can connect. Default: those of the server's own origin.
    pub origins: OriginPolicy,
    /// The parameters with which the server accepts permessage-deflate, or `None` for no compression.
    /// Default: `None`.
    ///
    /// A connection that compresses in both directions holds up to 480 KiB more. After half a minute without
    /// messages, it holds up to 36 KiB more, if its task receives. Smaller windows and no context takeover
    /// need less. [`ServerOptions::memory_bytes`] limits the memory of all connections together.
    pub deflate: Option<DeflateConfig>,
    /// Limits on what the client sends. The limits of HTTP heads do not apply to requests that hyper reads, because
    /// hyper has its own limits.
    pub limits: Limits,
    /// Time limit for the opening handshake, including TLS. Default: 10 s.
    pub handshake_timeout: Duration,
    /// Time limits of the open connection, and the interval of pings.
    pub timeouts: Timeouts,
}

impl Default for AcceptOptions {
    fn default() -> Self {
        Self {
            subprotocols: Subprotocols::default(),
            hosts: HostPolicy::default(),
            origins: OriginPolicy::default(),
            deflate: None,
            limits: Limits::default(),
            handshake_timeout: Duration::from_secs(10),
            timeouts: Timeouts::default(),
        }
    }
}

impl AcceptOptions {
    /// Sets the subprotocols that the server supports.
    pub fn subprotocols(mut self, subprotocols: Subprotocols) -> Self {
        self.subprotocols = subprotocols;
        self
    }

    /// Sets the hosts for which the server answers requests.
    pub fn hosts(mut self, hosts: HostPolicy) -> Self {
        self.hosts = hosts;
        self
    }

    /// Sets which web pages can connect.
    pub fn origins(mut self, origins: OriginPolicy) -> Self {
        self.origins = origins;
        self
    }

    /// Sets the parameters with which the server accepts permessage-deflate.
    pub fn deflate(mut self, deflate: impl Into<Option<DeflateConfig>>) -> Self {
        self.deflate = deflate.into();
        self
    }

    /// Sets the limits on what the client sends.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Sets the time limit for the opening handshake.
    pub fn handshake_timeout(mut self, timeout: Duration) -> Self {
        self.handshake_timeout = timeout;
        self
    }

    /// Sets the time limits of the open connection, and the interval of pings.
    pub fn timeouts(mut self, timeouts: Timeouts) -> Self {
        self.timeouts = timeouts;
        self
    }
}

/// Options of a [`Server`](crate::Server) or of [`Connections`](crate::Connections). The default suits a server
/// that is open to the internet.
#[derive(Debug, Clone)]
#[must_use]
pub struct ServerOptions {
    /// Options for each connection.
    pub accept: AcceptOptions,
    /// The maximum number of connections, including those in the opening handshake. Further ones are refused
    /// with 503.
    ///
    /// Default: 65,536, or fewer if the process may not open that many files. A quarter of the limit, at most 128
    /// files, is reserved for refusals and for the rest of the process.
    pub connections: usize,
    /// The maximum number of connections from one IPv4 address, or from one IPv6 network of 64 bits. Further
    /// ones are refused with 429. Behind a proxy, all connections come from one address, so raise this limit.
    ///
    /// Default: 4,096, or half of [`connections`](Self::connections)' default if that is less.
    pub connections_per_address: usize,
    /// How many bytes the connections may hold together. Default: 1 GiB.
    ///
    /// A connection counts if it holds 4 KiB or more of these:
    ///
    /// - Incomplete messages: up to twice `Limits::message_bytes`.
    /// - Messages that were read while the handler does not receive: up to 64 KiB, or one message.
    /// - Messages that are queued for a peer that does not read: up to 64 KiB and one message of
    ///   [`Socket::send`](crate::Socket::send), up to the capacity of a [`Sender`](crate::Sender).
    /// - Contexts of compression: up to 368 KiB to send, and up to 112 KiB to receive.
    ///
    /// Messages that the handler holds do not count. When the memory is used up:
    ///
    /// 1. No new context for sending is created. Messages are sent uncompressed, and counted in
    ///    [`Counts::uncompressed`](crate::Counts::uncompressed).
    /// 2. If the sum still grows, the server selects the address that holds the most, and its largest connection. That
    ///    connection frees its contexts, except for the window that the peer's next message may refer to, at most 32
    ///    KiB.
    /// 3. If that is not enough, the connection fails with 1013, and is counted in
    ///    [`Counts::evicted`](crate::Counts::evicted).
    pub memory_bytes: usize,
    /// How many of [`memory_bytes`](Self::memory_bytes) the connections from one IPv4 address, or from one
    /// IPv6 network of 64 bits, may hold. Above this limit, the rules above apply to the connections of this
    /// address. Behind a proxy, all connections come from one address, so raise this limit. Default: 512 MiB.
    pub memory_bytes_per_address: usize,
    /// How long a handler that has not noticed the end of its connection may still run. After this time, the
    /// handler is dropped. Default: 60 s.
    ///
    /// A handler has noticed the end if a method of its [`Socket`](crate::Socket) returned `None` or an error
    /// after the end, or if it dropped the socket. After that, its time is not limited.
    pub handler_grace: Duration,
}

impl Default for ServerOptions {
    fn default() -> Self {
        let allowed =
            open_files::limit().map_or(usize::MAX, |limit| limit - open_files::reserve(limit));
        let connections = allowed.min(1 << 16);
        Self {
            accept: AcceptOptions::default(),
            connections,
            connections_per_address: (connections / 2).min(1 << 12),
            memory_bytes: 1 << 30,
            memory_bytes_per_address: 1 << 29,
            handler_grace: Duration::from_secs(60),
        }
    }
}

impl ServerOptions {
    /// Sets the options for each connection.
    pub fn accept(mut self, accept: AcceptOptions) -> Self {
        self.accept = accept;
        self
    }

    /// Sets the maximum number of connections.
    pub fn connections(mut self, connections: usize) -> Self {
        self.connections = connections;
        self
    }

    /// Sets the maximum number of connections from one address.
    pub fn connections_per_address(mut self, connections: usize) -> Self {
        self.connections_per_address = connections;
        self
    }

    /// Sets how many bytes the connections may hold together.
    pub fn memory_bytes(mut self, bytes: usize) -> Self {
        self.memory_bytes = bytes;
        self
    }

    /// Sets how many bytes the connections from one address may hold together.
    pub fn memory_bytes_per_address(mut self, bytes: usize) -> Self {
        self.memory_bytes_per_address = bytes;
        self
    }

    /// Sets how long a handler that has not noticed the end of its connection may still run.
    pub fn handler_grace(mut self, grace: Duration) -> Self {
        self.handler_grace = grace;
        self
    }

    pub(crate) fn pool_limits(&self) -> PoolLimits {
        PoolLimits {
            connections: self.connections,
            connections_per_address: self.connections_per_address,
            memory: BudgetLimits {
                total: self.memory_bytes,
                per_address: self.memory_bytes_per_address,
            },
            handler_grace: self.handler_grace,
        }
    }
}
