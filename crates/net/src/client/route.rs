use std::future::Future;

use fullduplex_proto::Url;
use tokio::time::timeout_at;

use crate::client::dial::dial;
use crate::client::error::{ConnectError, ConnectPhase};
use crate::client::observer::ConnectStep;
use crate::client::options::{ConnectConcurrency, ConnectOptions};
use crate::client::permit::{Remote, Turn};
use crate::proxy::host_and_port;
use crate::proxy::{Proxy, ProxyError};
use crate::time;
use crate::transport::Transport;

/// A stream that leads to a server, without TLS, and the right to shake hands over it.
pub(crate) struct Route {
    pub(crate) stream: Transport,
    pub(crate) turn: Option<Turn>,
}

/// Finds a way to the host of `url`: directly, or by what the options name.
pub(crate) async fn find_route(url: &Url, options: &ConnectOptions) -> Result<Route, ConnectError> {
    if let Some(connector) = &options.connector {
        let stream = in_time(connector.connect(url), url, options).await?;
        let stream = stream
            .map_err(|source| ConnectError::Connector { authority: url.authority(), source })?;
        return Ok(Route { stream, turn: None });
    }
    #[cfg(unix)]
    if let Some(path) = &options.unix_socket {
        let stream = unix(path, url, options).await?;
        return Ok(Route { stream, turn: None });
    }
    // RFC6455-4.1-6
    if let Some(proxy) = options.proxies.find(url) {
        return by_proxy(proxy, url, options).await;
    }
    let (stream, turn) = dial(url.host(), url.port(), options, options.concurrency).await?;
    Ok(Route { stream: stream.into(), turn })
}

/// Only the proxy knows the address behind it, so a name counts as one (RFC6455-4.1-4).
async fn by_proxy(
    proxy: &Proxy,
    url: &Url,
    options: &ConnectOptions,
) -> Result<Route, ConnectError> {
    let (host, port, limit) = (url.host(), url.port(), options.connect_timeout);
    let too_long = |phase| ConnectError::Timeout {
        phase,
        authority: host_and_port(host, port),
        limit,
        failures: Vec::new(),
    };
    let turn = match options.concurrency {
        ConnectConcurrency::Unlimited => None,
        ConnectConcurrency::OnePerAddress => {
            let turn = Turn::wait(Remote::Name(host.to_owned(), port), limit).await;
            Some(turn.ok_or_else(|| too_long(ConnectPhase::Turn))?)
        }
    };
    let failed = |source| ConnectError::Proxy {
        proxy: proxy.to_string(),
        authority: host_and_port(host, port),
        source: Box::new(source),
    };
    options.observe(ConnectStep::Proxy { proxy: &proxy.to_string() });
    // The proxy is no WebSocket's other end.
    let dialed = dial(proxy.host(), proxy.port(), options, ConnectConcurrency::Unlimited).await;
    let (tcp, _) = dialed.map_err(|error| failed(ProxyError::Unreachable(Box::new(error))))?;
    let deadline = time::after(limit);
    // RFC6455-4.1-8
    let stream = timeout_at(deadline, proxy.tunnel(tcp, (host, port), deadline))
        .await
        .map_err(|_| failed(ProxyError::Timeout(limit)))?
        .map_err(failed)?;
    options.observe(ConnectStep::Tunnel);
    Ok(Route { stream, turn })
}

#[cfg(unix)]
async fn unix(
    path: &std::path::Path,
    url: &Url,
    options: &ConnectOptions,
) -> Result<Transport, ConnectError> {
    let connected = in_time(tokio::net::UnixStream::connect(path), url, options).await?;
    match connected {
        Ok(stream) => Ok(stream.into()),
        Err(source) => Err(ConnectError::Unix { path: path.to_owned(), source }),
    }
}

/// What needs no resolving and has one place to go to.
async fn in_time<T>(
    connecting: impl Future<Output = T>,
    url: &Url,
    options: &ConnectOptions,
) -> Result<T, ConnectError> {
    let limit = options.connect_timeout;
    timeout_at(time::after(limit), connecting).await.map_err(|_| {
        let authority = url.authority();
        ConnectError::Timeout { phase: ConnectPhase::Tcp, authority, limit, failures: Vec::new() }
    })
}
