//! The HTTP/2 connections of this process. Sockets of one runtime to one origin share them if their options for
//! TLS and for the route are the same.

use std::net::IpAddr;
#[cfg(unix)]
use std::path::PathBuf;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::Duration;

use fullduplex_proto::Url;
use tokio::runtime::Handle as Runtime;
use tokio::time::{Instant, timeout};

use crate::client::connector::Connector;
use crate::client::error::{ConnectError, ConnectPhase};
use crate::client::http2::connection::{Connection, Handle};
use crate::client::opening::{authority, handshake_deadline, secure};
use crate::client::options::{ConnectOptions, Http};
use crate::client::resolve::Resolve;
use crate::client::route::{Route, find_route};
use crate::http2::ALPN;
use crate::proxy::Proxies;
use crate::tls::Tls;

/// How long [`Http::Auto`] uses HTTP/1.1 after a server without HTTP/2 or without extended CONNECT.
const UNSUPPORTED_TIME: Duration = Duration::from_secs(600);

/// The maximum number of connections to one origin. Further streams wait until the server allows them.
const CONNECTIONS: usize = 16;

static POOL: LazyLock<Mutex<Origins>> = LazyLock::new(Mutex::default);

type Origins = Vec<(Key, Arc<Shared>)>;

/// How a server was reached.
pub(super) enum Reached {
    Http2(Handle),
    /// The server has chosen HTTP/1.1. The stream is encrypted.
    Http1(Route),
    /// The server speaks HTTP/2, but does not support WebSockets over it.
    Unsupported,
}

/// What connections must have in common to be shared.
struct Key {
    /// The runtime whose task does the I/O. Another runtime may run while this one does not.
    runtime: tokio::runtime::Id,
    url: Url,
    tls: Option<Tls>,
    proxies: Proxies,
    resolver: Option<Arc<dyn Resolve>>,
    local_address: Option<IpAddr>,
    #[cfg(unix)]
    unix_socket: Option<PathBuf>,
    connector: Option<Arc<dyn Connector>>,
}

/// The connections to one origin. The lock is held while one is opened, so that many sockets that are opened at
/// the same time share a connection.
#[derive(Default)]
struct Shared(tokio::sync::Mutex<Connections>);

#[derive(Default)]
struct Connections {
    open: Vec<Connection>,
    /// Until when the server is known not to support WebSockets over HTTP/2.
    unsupported_until: Option<Instant>,
}

impl Connections {
    fn remember_unsupported(&mut self) {
        self.unsupported_until = Some(Instant::now() + UNSUPPORTED_TIME);
    }

    fn is_unsupported(&self) -> bool {
        self.unsupported_until.is_some_and(|until| Instant::now() < until)
    }
}

/// Returns a connection to the server of `url` that takes one more stream, and opens one if necessary.
pub(super) async fn reach(url: &Url, options: &ConnectOptions) -> Result<Reached, ConnectError> {
    let shared = find(url, options);
    let limit = options.connect_timeout.saturating_add(options.handshake_timeout);
    let mut connections = timeout(limit, shared.0.lock()).await.map_err(|_| {
        let (phase, authority, failures) = (ConnectPhase::Queue, authority(url), Vec::new());
        ConnectError::Timeout { phase, authority, limit, failures }
    })?;
    connections.open.retain(Connection::takes_streams);
    let is_full = connections.open.len() >= CONNECTIONS;
    let open = connections.open.iter_mut().filter(|connection| is_full || connection.has_room());
    if let Some(connection) = open.min_by_key(|connection| connection.streams()) {
        return Ok(Reached::Http2(connection.handle()));
    }
    if options.http == Http::Auto && connections.is_unsupported() {
        return Ok(Reached::Unsupported);
    }
    // RFC8441-6-1: a proxy is asked for a tunnel, as for HTTP/1.1.
    let Route { mut stream, permit } = find_route(url, options).await?;
    let deadline = handshake_deadline(options);
    if url.is_secure() {
        let securing = secure(stream, url, options, Some(ALPN));
        let (secured, is_http2) = deadline.limit(url, securing).await??;
        stream = secured;
        if !is_http2 {
            connections.remember_unsupported();
            return Ok(Reached::Http1(Route { stream, permit }));
        }
    }
    let opened = deadline.limit(url, Connection::open(stream, options.limits)).await?;
    if let Some(permit) = permit {
        permit.release_answered();
    }
    let failed = |error| ConnectError::Http2 { authority: authority(url), error };
    let mut connection = opened.map_err(failed)?;
    if !connection.supports_websocket() {
        connections.remember_unsupported();
        return Ok(Reached::Unsupported);
    }
    let handle = connection.handle();
    connections.open.push(connection);
    Ok(Reached::Http2(handle))
}

/// Returns the connections for these options, and forgets those that are not used any more.
fn find(url: &Url, options: &ConnectOptions) -> Arc<Shared> {
    let mut pool = POOL.lock().unwrap_or_else(PoisonError::into_inner);
    pool.retain(|(_, shared)| shared.is_used());
    if let Some((_, shared)) = pool.iter().find(|(key, _)| key.fits(url, options)) {
        return Arc::clone(shared);
    }
    let shared = Arc::new(Shared::default());
    pool.push((Key::new(url, options), Arc::clone(&shared)));
    shared
}

impl Shared {
    fn is_used(self: &Arc<Self>) -> bool {
        // A task that waits for the lock has a clone.
        Arc::strong_count(self) > 1
            || self.0.try_lock().is_ok_and(|mut connections| {
                connections.open.retain(Connection::takes_streams);
                connections.is_unsupported() || !connections.open.is_empty()
            })
    }
}

impl Key {
    fn new(url: &Url, options: &ConnectOptions) -> Self {
        Self {
            runtime: Runtime::current().id(),
            url: url.clone(),
            tls: options.tls.clone(),
            proxies: options.proxies.clone(),
            resolver: options.resolver.clone(),
            local_address: options.local_address,
            #[cfg(unix)]
            unix_socket: options.unix_socket.clone(),
            connector: options.connector.clone(),
        }
    }

    /// Returns whether a connection of `url` and `options` can share those of this key.
    fn fits(&self, url: &Url, options: &ConnectOptions) -> bool {
        let is_same_tls = match (&self.tls, &options.tls) {
            (Some(ours), Some(theirs)) => ours.is_same(theirs),
            (None, None) => true,
            _ => false,
        };
        let is_same_proxy = match (self.proxies.find(&self.url), options.proxies.find(url)) {
            (Some(ours), Some(theirs)) => std::ptr::eq(ours, theirs),
            (None, None) => true,
            _ => false,
        };
        #[cfg(unix)]
        let is_same_path = self.unix_socket == options.unix_socket;
        #[cfg(not(unix))]
        let is_same_path = true;
        self.runtime == Runtime::current().id()
            && self.url.origin() == url.origin()
            && is_same_tls
            && is_same_proxy
            && is_same_path
            && self.local_address == options.local_address
            && is_same(self.resolver.as_ref(), options.resolver.as_ref())
            && is_same(self.connector.as_ref(), options.connector.as_ref())
    }
}

fn is_same<T: ?Sized>(ours: Option<&Arc<T>>, theirs: Option<&Arc<T>>) -> bool {
    match (ours, theirs) {
        (Some(ours), Some(theirs)) => std::ptr::addr_eq(Arc::as_ptr(ours), Arc::as_ptr(theirs)),
        (None, None) => true,
        _ => false,
    }
}
