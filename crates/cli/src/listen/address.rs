use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use fullduplex_net::{Server, ServerOptions};

use crate::values::tcp_address;

/// Where to listen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Address {
    /// A host and a port.
    Tcp(String),
    /// A path of a Unix socket.
    Unix(PathBuf),
}

impl Address {
    pub(super) async fn bind(&self, options: ServerOptions) -> io::Result<Server> {
        match self {
            Self::Tcp(address) => Server::bind(address, options).await,
            Self::Unix(path) => bind_unix(path, options),
        }
    }

    /// The host, where there is one that a client can ask for.
    pub(super) fn host(&self) -> Option<&str> {
        let Self::Tcp(address) = self else { return None };
        let (host, _) = address.rsplit_once(':')?;
        Some(host.trim_start_matches('[').trim_end_matches(']'))
    }
}

#[cfg(unix)]
fn bind_unix(path: &Path, options: ServerOptions) -> io::Result<Server> {
    Server::bind_unix(path, options)
}

#[cfg(not(unix))]
fn bind_unix(_: &Path, _: ServerOptions) -> io::Result<Server> {
    Err(io::Error::new(io::ErrorKind::Unsupported, "this system has no Unix sockets"))
}

impl FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(path) = text.strip_prefix("unix:").filter(|path| !path.is_empty()) {
            return Ok(Self::Unix(path.into()));
        }
        tcp_address(text).map(Self::Tcp)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => f.write_str(address),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        for (text, shown, host) in [
            ("9001", "127.0.0.1:9001", Some("127.0.0.1")),
            ("localhost:0", "localhost:0", Some("localhost")),
            ("[::1]:9001", "[::1]:9001", Some("::1")),
            ("unix:/run/fdx", "unix:/run/fdx", None),
        ] {
            let address: Address = text.parse().unwrap();
            assert_eq!((&*address.to_string(), address.host()), (shown, host));
        }
        for bad in
            ["", "localhost", ":9001", "70000", "ws://localhost:9001", "127.0.0.1:x", "unix:"]
        {
            assert!(bad.parse::<Address>().is_err(), "{bad}");
        }
    }
}
