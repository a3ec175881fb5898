use fullduplex_proto::Url;
use tokio::time::timeout_at;

use crate::client::dial::dial;
use crate::client::error::{ConnectError, ConnectPhase};
use crate::client::options::{ConnectConcurrency, ConnectOptions};
use crate::client::permit::{ConnectPermit, Remote};
use crate::client::timeout::Deadline;
use crate::http1::host_and_port;
use crate::observer::ConnectStep;
use crate::proxy::{Proxy, ProxyError};
use crate::time;
use crate::transport::Transport;

/// A stream that leads to a server, without TLS, and the permit for the opening handshake over it.
pub(crate) struct Route {
    pub(crate) stream: Transport,
    pub(crate) permit: Option<ConnectPermit>,
}

/// Connects to the host of `url`, directly or as the options say.
pub(crate) async fn find_route(url: &Url, options: &ConnectOptions) -> Result<Route, ConnectError> {
    let deadline = Deadline::starting_now(ConnectPhase::Tcp, options.connect_timeout);
    if let Some(connector) = &options.connector {
        let stream = deadline.limit(url, connector.connect(url)).await?;
        let authority = || host_and_port(url.host(), url.port());
        let stream =
            stream.map_err(|error| ConnectError::Connector { authority: authority(), error })?;
        return Ok(Route { stream, permit: None });
    }
    #[cfg(unix)]
    if let Some(path) = &options.unix_socket {
        let stream = deadline.limit(url, tokio::net::UnixStream::connect(path)).await?;
        let stream = stream.map_err(|error| ConnectError::Unix { path: path.clone(), error })?;
        return Ok(Route { stream: stream.into(), permit: None });
    }
    // RFC6455-4.1-6
    if let Some(proxy) = options.proxies.find(url) {
        return through_proxy(proxy, url, options).await;
    }
    let (stream, permit) = dial(url.host(), url.port(), options, options.concurrency).await?;
    Ok(Route { stream: stream.into(), permit })
}

/// Connects through a proxy. Only the proxy knows the address of the server, so the host name counts as one address
/// (RFC6455-4.1-4).
async fn through_proxy(
    proxy: &Proxy,
    url: &Url,
    options: &ConnectOptions,
) -> Result<Route, ConnectError> {
    let (host, port, limit) = (url.host(), url.port(), options.connect_timeout);
    let (authority, proxy_url) = (host_and_port(host, port), proxy.to_string());
    let permit = match options.concurrency {
        ConnectConcurrency::Unlimited => None,
        ConnectConcurrency::OnePerAddress => {
            let permit = ConnectPermit::acquire(Remote::Name(host.to_owned(), port), limit).await;
            Some(permit.ok_or_else(|| ConnectError::Timeout {
                phase: ConnectPhase::Queue,
                authority: authority.clone(),
                limit,
                failures: Vec::new(),
            })?)
        }
    };
    options.observe(ConnectStep::Proxy { proxy: &proxy_url });
    // The proxy is not the other end of the WebSocket, so connections to it are not limited.
    let dialed = dial(proxy.host(), proxy.port(), options, ConnectConcurrency::Unlimited).await;
    let (tcp, _) = match dialed {
        Ok(dialed) => dialed,
        Err(error) => {
            let error = Box::new(error);
            return Err(ConnectError::ProxyUnreachable { proxy: proxy_url, authority, error });
        }
    };
    let deadline = time::after(limit);
    let tunnel = proxy.tunnel(tcp, (host, port), options.limits, deadline);
    let tunnel = timeout_at(deadline, tunnel).await;
    // RFC6455-4.1-8
    match tunnel.unwrap_or(Err(ProxyError::Timeout(limit))) {
        Ok(stream) => {
            options.observe(ConnectStep::Tunnel);
            Ok(Route { stream, permit })
        }
        Err(error) => {
            Err(ConnectError::Proxy { proxy: proxy_url, authority, error: Box::new(error) })
        }
    }
}
