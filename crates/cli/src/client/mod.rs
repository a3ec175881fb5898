//! Options of all commands that connect to a server.

mod trust;

use std::fs;
use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use clap::Args;
use fullduplex::{Builder, Credentials, Origin, Ports, Proxies, Proxy, WebSocket};
use fullduplex_net::proto::Url;
use fullduplex_net::proto::handshake::Subprotocols;
use fullduplex_net::{ConnectOptions, Http, Redirects};

use self::trust::Trust;
use crate::exit::{Failure, usage};
use crate::values::{PingInterval, positive_seconds, size};

/// How to reach the server, and what to send in the opening request.
#[derive(Debug, Args)]
pub(crate) struct Client {
    /// The server: ws://HOST/PATH or wss://HOST/PATH. Without a scheme, ws:// is used. A port alone
    /// means this machine.
    #[arg(value_name = "URL", value_parser = with_scheme)]
    pub(crate) url: String,
    /// Offer a subprotocol. Repeat the option for several, the preferred one first.
    #[arg(long = "protocol", value_name = "NAME", help_heading = REQUEST)]
    protocols: Vec<String>,
    /// Add a header to the opening request. `@FILE` reads headers from a file, one on each line.
    #[arg(long = "header", short = 'H', value_name = "NAME: VALUE", help_heading = REQUEST)]
    headers: Vec<String>,
    /// Send this Origin header, such as https://example.com, as a page of that site would.
    #[arg(long, help_heading = REQUEST)]
    origin: Option<Origin>,
    /// Log in with a user and a password (HTTP Basic). Without a password, fdx reads it from the
    /// environment variable FDX_PASSWORD, which other users of this machine cannot see.
    #[arg(long, short, value_name = "USER[:PASSWORD]", help_heading = REQUEST)]
    user: Option<String>,
    /// Follow up to this many redirects.
    #[arg(long, value_name = "COUNT", default_value_t = 0, hide_default_value = true, help_heading = REQUEST)]
    redirects: u32,
    /// Do not offer compression.
    #[arg(long, help_heading = REQUEST)]
    no_compression: bool,
    /// Connect through a proxy: http://, https://, socks5:// or socks5h://. By default the environment
    /// variables HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY decide, as in curl. `none` connects
    /// directly.
    #[arg(long, value_name = "URL", help_heading = WAY)]
    proxy: Option<String>,
    /// Connect to the Unix socket of a server on this machine.
    #[cfg(unix)]
    #[arg(long, value_name = "PATH", help_heading = WAY)]
    unix_socket: Option<std::path::PathBuf>,
    /// Connect from this address of this machine.
    #[arg(long, value_name = "ADDRESS", help_heading = WAY)]
    bind: Option<IpAddr>,
    /// Use HTTP/2 instead of HTTP/1.1 (RFC 8441). The server must support WebSockets over it. Sockets to one
    /// server share a connection.
    #[arg(long, help_heading = WAY)]
    http2: bool,
    /// Connect to a port that browsers block because servers of other protocols use it, such as 25.
    #[arg(long, help_heading = WAY)]
    any_port: bool,
    /// Wait at most this long for the connection, and again for the opening handshake.
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = positive_seconds, help_heading = WAY)]
    timeout: Duration,
    /// Send a Ping at this interval, and give up if no Pong arrives within the same time. By
    /// default, and with 0, no Ping is sent.
    #[arg(long, value_name = "SECONDS", help_heading = WAY)]
    keepalive: Option<PingInterval>,
    /// Fail if a message from the server has more bytes. Units: k, M, G.
    #[arg(long, value_name = "SIZE", value_parser = size, help_heading = WAY)]
    max_message: Option<usize>,
    /// Fail when the head of the server's response has more bytes. Units: k, M, G. Default: 16k.
    #[arg(long, value_name = "SIZE", value_parser = size, help_heading = WAY)]
    max_head: Option<usize>,
    /// Fail when the server's response has more headers. Default: 100.
    #[arg(long, value_name = "COUNT", help_heading = WAY)]
    max_headers: Option<usize>,
    #[command(flatten)]
    tls: Trust,
}

const REQUEST: &str = "The opening request";
const WAY: &str = "The way to the server";

impl Client {
    /// Returns the options for a command that connects without the object.
    pub(crate) fn connect_options(&self) -> Result<ConnectOptions, Failure> {
        let mut options = ConnectOptions::new()
            .subprotocols(Subprotocols::new(self.protocols.clone()).map_err(usage)?)
            .connect_timeout(self.timeout)
            .handshake_timeout(self.timeout)
            .redirects(Redirects::up_to(self.redirects))
            .proxies(self.proxies()?);
        for (name, value) in self.headers()? {
            options = options.header(&name, &value).map_err(usage)?;
        }
        if let Some(origin) = &self.origin {
            options = options.origin(origin);
        }
        if self.no_compression {
            options = options.deflate(None);
        }
        if self.http2 {
            options = options.http(Http::Two);
        }
        #[cfg(unix)]
        if let Some(path) = &self.unix_socket {
            options = options.unix_socket(path);
        }
        if let Some(PingInterval(Some(interval))) = self.keepalive {
            options.timeouts.ping = Some(interval);
            options.timeouts.pong = interval;
        }
        if let Some(bytes) = self.max_message {
            options.limits.message_bytes = bytes;
        }
        if let Some(bytes) = self.max_head {
            options.limits.head_bytes = bytes;
        }
        if let Some(count) = self.max_headers {
            options.limits.head_headers = count;
        }
        options.tls = self.tls.tls()?;
        options.local_address = self.bind;
        Ok(options)
    }

    /// Returns the same options for the object.
    pub(crate) fn builder(&self) -> Result<Builder, Failure> {
        let options = self.connect_options()?;
        let mut builder = WebSocket::builder(&self.url)
            .protocols(self.protocols.clone())
            .map_err(usage)?
            .connect_timeout(options.connect_timeout)
            .handshake_timeout(options.handshake_timeout)
            .redirects(self.redirects)
            .http(options.http)
            .proxy(options.proxies)
            .deflate(options.deflate)
            .limits(options.limits)
            .timeouts(options.timeouts);
        for (name, value) in &options.headers {
            builder = builder.header(name.as_str(), value).map_err(usage)?;
        }
        if let Some(tls) = options.tls {
            builder = builder.tls(tls);
        }
        #[cfg(unix)]
        if let Some(path) = options.unix_socket {
            builder = builder.unix_socket(path);
        }
        if let Some(address) = options.local_address {
            builder = builder.local_address(address);
        }
        if self.any_port {
            builder = builder.ports(Ports::Any);
        }
        Ok(builder)
    }

    /// Parses the URL, for a command that connects without the object.
    pub(crate) fn parsed_url(&self) -> Result<Url, Failure> {
        Url::parse(&self.url).map_err(usage)
    }

    /// Returns whether the server's certificate is not verified.
    pub(crate) fn takes_any_certificate(&self) -> bool {
        self.tls.takes_any_certificate()
    }

    fn headers(&self) -> Result<Vec<(String, String)>, Failure> {
        let mut headers = Vec::new();
        for argument in &self.headers {
            match argument.strip_prefix('@') {
                Some(file) => {
                    let lines = String::from_utf8(read(Path::new(file))?).map_err(usage)?;
                    let lines = lines.lines().filter(|line| !line.trim().is_empty());
                    headers.extend(lines.map(header).collect::<Result<Vec<_>, _>>()?);
                }
                None => headers.push(header(argument)?),
            }
        }
        if let Some(user) = &self.user {
            let value = credentials(user)?.to_basic();
            let value = value.to_str().map_err(usage)?;
            headers.push(("Authorization".to_owned(), value.to_owned()));
        }
        Ok(headers)
    }

    fn proxies(&self) -> Result<Proxies, Failure> {
        match self.proxy.as_deref() {
            None => Proxies::from_env().map_err(usage),
            Some("none") => Ok(Proxies::default()),
            Some(url) => Ok(Proxy::parse(url).map_err(usage)?.into()),
        }
    }
}

/// Parses a header. The error does not show it, because it may contain a secret.
fn header(line: &str) -> Result<(String, String), Failure> {
    let (name, value) = line.split_once(':').ok_or_else(|| {
        usage("could not read a header: there is no colon; write it as `Name: value`")
    })?;
    Ok((name.trim().to_owned(), value.trim().to_owned()))
}

/// Parses `USER:PASSWORD`, or `USER` with the password in the environment.
fn credentials(argument: &str) -> Result<Credentials, Failure> {
    if let Some((user, password)) = argument.split_once(':') {
        return Ok(Credentials::new(user, password));
    }
    let password = std::env::var(PASSWORD).map_err(|_| {
        usage(format!("--user {argument} has no password: add :PASSWORD, or set {PASSWORD}"))
    })?;
    Ok(Credentials::new(argument, password))
}

/// Reads a file that an argument names.
fn read(file: &Path) -> Result<Vec<u8>, Failure> {
    fs::read(file)
        .map_err(|error| usage(format!("could not read the file {}: {error}", file.display())))
}

/// Adds the scheme and the host if the user has omitted them.
fn with_scheme(text: &str) -> Result<String, String> {
    if text.is_empty() {
        return Err("give a URL, such as ws://localhost:9001/".into());
    }
    if text.parse::<u16>().is_ok() {
        return Ok(format!("ws://127.0.0.1:{text}/"));
    }
    let has_scheme = text.contains("://")
        || ["ws:/", "wss:/", "http:/", "https:/"].iter().any(|scheme| text.starts_with(scheme));
    Ok(if has_scheme { text.to_owned() } else { format!("ws://{text}") })
}

const PASSWORD: &str = "FDX_PASSWORD";

#[cfg(test)]
mod tests {
    use super::*;

    /// FK-12
    #[test]
    fn a_missing_scheme_is_ws() {
        for (text, url) in [
            ("localhost:9001", "ws://localhost:9001"),
            ("127.0.0.1:9001", "ws://127.0.0.1:9001"),
            ("[::1]:9001/chat", "ws://[::1]:9001/chat"),
            ("example.com", "ws://example.com"),
            ("9001", "ws://127.0.0.1:9001/"),
            ("wss://example.com/", "wss://example.com/"),
            ("ftp://example.com/", "ftp://example.com/"),
            ("WS://example.com/", "WS://example.com/"),
        ] {
            assert_eq!(with_scheme(text).as_deref(), Ok(url));
        }
    }
}
