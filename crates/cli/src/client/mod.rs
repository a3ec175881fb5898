//! What all commands that connect to a server have in common.

mod trust;

use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use fullduplex::{Builder, Credentials, Limits, Origin, Proxies, Proxy, WebSocket};

use self::trust::Trust;
use crate::exit::{Failure, usage};
use crate::values::{seconds, size};

/// How to reach the server, and what to tell it.
#[derive(Debug, Args)]
pub(crate) struct Client {
    /// The server: ws://… or wss://…
    pub(crate) url: String,
    /// Offer a subprotocol; repeat it for several, the preferred one first.
    #[arg(long = "protocol", value_name = "NAME", help_heading = REQUEST)]
    protocols: Vec<String>,
    /// Add a header to the opening request; `@FILE` reads headers from a file, one in each line.
    #[arg(long = "header", short = 'H', value_name = "NAME: VALUE", help_heading = REQUEST)]
    headers: Vec<String>,
    /// Say from which page the request comes, such as https://example.com.
    #[arg(long, help_heading = REQUEST)]
    origin: Option<Origin>,
    /// Authenticate by user and password; without a password, that of the variable FDX_PASSWORD.
    #[arg(long, short, value_name = "USER[:PASSWORD]", help_heading = REQUEST)]
    user: Option<String>,
    /// Follow so many redirects.
    #[arg(long, value_name = "COUNT", default_value_t = 0, hide_default_value = true, help_heading = REQUEST)]
    redirects: u32,
    /// Do not offer compression.
    #[arg(long, help_heading = REQUEST)]
    no_compression: bool,
    /// Connect through a proxy: http://, https://, socks5:// or socks5h://. By default the variables
    /// HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY decide, as in curl; `none` connects directly.
    #[arg(long, value_name = "URL", help_heading = WAY)]
    proxy: Option<String>,
    /// Connect with a server of this machine by its Unix socket.
    #[cfg(unix)]
    #[arg(long, value_name = "PATH", help_heading = WAY)]
    unix_socket: Option<PathBuf>,
    /// Connect from this address of this machine.
    #[arg(long, value_name = "ADDRESS", help_heading = WAY)]
    bind: Option<IpAddr>,
    /// How long connecting may take, and again the opening handshake.
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = seconds, help_heading = WAY)]
    timeout: Duration,
    /// Ask the server by a Ping whenever it was silent for so long, and give it up if it does not answer for
    /// as long again.
    #[arg(long, value_name = "SECONDS", value_parser = seconds, help_heading = WAY)]
    keepalive: Option<Duration>,
    /// The most that a message of the server may have, in bytes, or with k, M or G behind.
    #[arg(long, value_name = "SIZE", value_parser = size, help_heading = WAY)]
    max_message: Option<usize>,
    #[command(flatten)]
    tls: Trust,
}

const REQUEST: &str = "The opening request";
const WAY: &str = "The way to the server";

impl Client {
    /// The connection that these arguments ask for. What connects without the object does so with the
    /// [`connect_options`](Builder::connect_options) of it.
    pub(crate) fn builder(&self) -> Result<Builder, Failure> {
        let mut builder = WebSocket::builder(&self.url)
            .protocols(self.protocols.clone())
            .map_err(usage)?
            .connect_timeout(self.timeout)
            .handshake_timeout(self.timeout)
            .redirects(self.redirects)
            .proxy(self.proxies()?);
        for (name, value) in self.headers()? {
            builder = builder.header(&name, &value).map_err(usage)?;
        }
        if let Some(tls) = self.tls.tls()? {
            builder = builder.tls(tls);
        }
        if let Some(origin) = &self.origin {
            builder = builder.origin(origin);
        }
        if self.no_compression {
            builder = builder.deflate(None);
        }
        #[cfg(unix)]
        if let Some(path) = &self.unix_socket {
            builder = builder.unix_socket(path);
        }
        if let Some(address) = self.bind {
            builder = builder.local_address(address);
        }
        if let Some(interval) = self.keepalive {
            let mut timeouts = builder.connect_options().timeouts;
            timeouts.ping = Some(interval);
            timeouts.pong = interval;
            builder = builder.timeouts(timeouts);
        }
        if let Some(bytes) = self.max_message {
            let mut limits = Limits::default();
            limits.message_bytes = bytes;
            builder = builder.limits(limits);
        }
        Ok(builder)
    }

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

fn header(line: &str) -> Result<(String, String), Failure> {
    let (name, value) = line
        .split_once(':')
        .ok_or_else(|| usage(format!("a header is `Name: value`, not `{line}`")))?;
    Ok((name.trim().to_owned(), value.trim().to_owned()))
}

/// `USER:PASSWORD`, or `USER` alone with the password where no list of processes shows it.
fn credentials(argument: &str) -> Result<Credentials, Failure> {
    if let Some((user, password)) = argument.split_once(':') {
        return Ok(Credentials::new(user, password));
    }
    let password = std::env::var(PASSWORD)
        .map_err(|_| usage(format!("--user {argument} has no password, nor has {PASSWORD} one")))?;
    Ok(Credentials::new(argument, password))
}

fn read(file: &Path) -> Result<Vec<u8>, Failure> {
    fs::read(file)
        .map_err(|error| usage(format!("the file {} cannot be read: {error}", file.display())))
}

const PASSWORD: &str = "FDX_PASSWORD";
