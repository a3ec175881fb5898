use std::fmt;
use std::io;
use std::path::PathBuf;
use std::str::FromStr;

use fullduplex_net::{Server, ServerOptions};

use super::socket_file::SocketFile;
use crate::values::tcp_address;

/// The address at which a server listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Address {
    /// A host and a port.
    Tcp(String),
    /// The path of a Unix socket.
    Unix(PathBuf),
}

impl Address {
    /// Starts to listen. The file of a Unix socket is removed when the server is dropped.
    pub(super) async fn bind(
        &self,
        options: ServerOptions,
    ) -> io::Result<(Server, Option<SocketFile>)> {
        match self {
            Self::Tcp(address) => Ok((Server::bind(address, options).await?, None)),
            Self::Unix(path) => {
                let (server, file) = SocketFile::bind(path, options)?;
                Ok((server, Some(file)))
            }
        }
    }

    /// Returns the host. Returns `None` if clients have no host name for the address.
    pub(super) fn host(&self) -> Option<&str> {
        let Self::Tcp(address) = self else { return None };
        let (host, _) = address.rsplit_once(':')?;
        Some(host.trim_start_matches('[').trim_end_matches(']'))
    }
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
    fn addresses_are_ports_hosts_and_paths() {
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
