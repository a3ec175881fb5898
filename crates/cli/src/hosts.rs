//! Which names a server of this machine answers to.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use fullduplex_net::proto::handshake::Rejection;
use http::header::HOST;
use http::{HeaderMap, StatusCode};

use crate::output::cut;

/// The names in the Host header that a server answers to.
///
/// A page of another site can let its own name resolve to 127.0.0.1 and then reach a server that listens
/// there: to the browser they are one site (DNS rebinding). Only the Host header tells them apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Hosts {
    Any,
    /// `localhost`, literal addresses, and these names.
    Local(Vec<String>),
}

impl Hosts {
    /// Returns the names for a server at this address: any, unless only this machine can reach it.
    pub(crate) fn at(address: Option<SocketAddr>, further: &[String]) -> Self {
        match address {
            Some(address)
                if address.ip().is_loopback() && !further.iter().any(|name| name == "*") =>
            {
                Self::Local(further.to_vec())
            }
            _ => Self::Any,
        }
    }

    /// Checks the Host header of a request. A request without one does not come from a browser.
    ///
    /// # Errors
    /// The rejection to answer with, a 421.
    pub(crate) fn check(&self, headers: &HeaderMap) -> Result<(), Rejection> {
        let Self::Local(further) = self else { return Ok(()) };
        let foreign = headers.get_all(HOST).iter().find(|host| {
            let host = str::from_utf8(host.as_bytes()).unwrap_or_default();
            !is_local(host, further)
        });
        let Some(foreign) = foreign else { return Ok(()) };
        let foreign = cut(&String::from_utf8_lossy(foreign.as_bytes()), 100);
        Err(Rejection::new(
            StatusCode::MISDIRECTED_REQUEST,
            format!(
                "this server is for this machine, not for the host `{foreign}`: use localhost or an address, or start it with --host"
            ),
        ))
    }
}

fn is_local(host: &str, further: &[String]) -> bool {
    let (name, port) = match host.rsplit_once(':') {
        Some((name, port)) if !port.contains(']') => (name, port),
        _ => (host, ""),
    };
    let literal = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    let is_address = literal.parse::<IpAddr>().is_ok()
        && (literal.len() != name.len() || literal.parse::<Ipv4Addr>().is_ok());
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    let is_localhost = name == "localhost" || name.ends_with(".localhost");
    let is_listed = further.iter().any(|further| further.eq_ignore_ascii_case(&name));
    port.bytes().all(|byte| byte.is_ascii_digit()) && (is_address || is_localhost || is_listed)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// FS-05
    #[test]
    fn only_names_that_cannot_be_rebound_are_local() {
        let further = ["Dev.example".to_owned()];
        for host in [
            "localhost",
            "LOCALHOST:9001",
            "a.localhost:1",
            "localhost.",
            "127.0.0.1:9001",
            "[::1]:1",
            "[::1]",
            "192.0.2.1",
            "dev.EXAMPLE:1",
        ] {
            assert!(is_local(host, &further), "{host}");
        }
        for host in [
            "app.example",
            "app.example:9001",
            "localhost.example",
            "127.0.0.1.example",
            "",
            "x:y",
            "::1",
            "[x]",
            "127.0.0.1:x",
            "app.example:1@localhost",
        ] {
            assert!(!is_local(host, &further), "{host}");
        }
    }

    #[test]
    fn a_server_for_the_network_answers_to_any_name() {
        let public = "0.0.0.0:9001".parse().ok();
        let local = "127.0.0.1:9001".parse().ok();
        assert_eq!(Hosts::at(public, &[]), Hosts::Any);
        assert_eq!(Hosts::at(None, &[]), Hosts::Any);
        assert_eq!(Hosts::at(local, &["*".to_owned()]), Hosts::Any);
        assert_eq!(Hosts::at(local, &[]), Hosts::Local(Vec::new()));
    }
}
