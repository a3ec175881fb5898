//! SOCKS5 (RFC 1928), and its user and password (RFC 1929).

use std::net::IpAddr;

use fullduplex_proto::Credentials;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};

use super::error::{ProxyError, ProxyUrlError};
use crate::http1::read::OpeningError;
use crate::http1::read::write_all;

const VERSION: u8 = 5;
const LOGIN_VERSION: u8 = 1;
const CONNECT: u8 = 1;
const IPV4: u8 = 1;
const NAME: u8 = 3;
const IPV6: u8 = 4;

/// An authentication method.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Method {
    NoAuthentication = 0,
    UserAndPassword = 2,
}

/// Requests a connection over `stream`. Reads exactly the bytes of the proxy's replies.
pub(super) async fn open(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    (host, port): (&str, u16),
    credentials: Option<&Credentials>,
) -> Result<(), ProxyError> {
    write_all(stream, &greeting(credentials)).await?;
    let method = chosen(read(stream).await?, credentials)?;
    if let (Method::UserAndPassword, Some(credentials)) = (method, credentials) {
        write_all(stream, &login(credentials)).await?;
        logged_in(read(stream).await?)?;
    }
    write_all(stream, &request(host, port)?).await?;
    connected(read(stream).await?)?;
    // The address from which the proxy has connected is not used.
    let [_reserved, kind, first] = read(stream).await?;
    let mut rest = vec![0; address_rest(kind, first)?];
    stream.read_exact(&mut rest).await.map_err(ended)?;
    Ok(())
}

/// Checks that SOCKS5 can transmit the credentials.
pub(super) fn check(credentials: &Credentials) -> Result<(), ProxyUrlError> {
    let fits = |part: &[u8]| (1..=255).contains(&part.len());
    if fits(credentials.user()) && fits(credentials.password()) {
        Ok(())
    } else {
        Err(ProxyUrlError::new(
            "SOCKS5 allows from 1 to 255 bytes for the user and the password each",
        ))
    }
}

fn greeting(credentials: Option<&Credentials>) -> Vec<u8> {
    match credentials {
        None => vec![VERSION, 1, Method::NoAuthentication as u8],
        Some(_) => vec![VERSION, 2, Method::NoAuthentication as u8, Method::UserAndPassword as u8],
    }
}

fn chosen(reply: [u8; 2], credentials: Option<&Credentials>) -> Result<Method, ProxyError> {
    match reply {
        [VERSION, 0] => Ok(Method::NoAuthentication),
        [VERSION, 2] if credentials.is_some() => Ok(Method::UserAndPassword),
        [VERSION, _] => Err(ProxyError::Method(credentials.is_some())),
        [other, _] => Err(ProxyError::NotSocks5(other)),
    }
}

fn login(credentials: &Credentials) -> Vec<u8> {
    let mut request = vec![LOGIN_VERSION];
    for part in [credentials.user(), credentials.password()] {
        // `check` has verified the length.
        request.push(u8::try_from(part.len()).unwrap_or(u8::MAX));
        request.extend_from_slice(part);
    }
    request
}

fn logged_in([_version, status]: [u8; 2]) -> Result<(), ProxyError> {
    if status == 0 { Ok(()) } else { Err(ProxyError::Login) }
}

fn request(host: &str, port: u16) -> Result<Vec<u8>, ProxyError> {
    let mut request = vec![VERSION, CONNECT, 0];
    match host.parse() {
        Ok(IpAddr::V4(address)) => {
            request.push(IPV4);
            request.extend(address.octets());
        }
        Ok(IpAddr::V6(address)) => {
            request.push(IPV6);
            request.extend(address.octets());
        }
        // The proxy resolves the name.
        Err(_) => {
            let length = u8::try_from(host.len()).map_err(|_| ProxyError::HostTooLong)?;
            request.extend([NAME, length]);
            request.extend_from_slice(host.as_bytes());
        }
    }
    request.extend(port.to_be_bytes());
    Ok(request)
}

fn connected(reply: [u8; 2]) -> Result<(), ProxyError> {
    match reply {
        [VERSION, 0] => Ok(()),
        [VERSION, code] => Err(ProxyError::Socks5(code)),
        [other, _] => Err(ProxyError::NotSocks5(other)),
    }
}

/// Returns how many bytes follow the first byte of an address, including the port.
fn address_rest(kind: u8, first: u8) -> Result<usize, ProxyError> {
    match kind {
        IPV4 => Ok(3 + 2),
        IPV6 => Ok(15 + 2),
        NAME => Ok(usize::from(first) + 2),
        _ => Err(ProxyError::Socks5(8)),
    }
}

async fn read<const N: usize>(
    stream: &mut (impl AsyncRead + Unpin),
) -> Result<[u8; N], ProxyError> {
    let mut bytes = [0; N];
    stream.read_exact(&mut bytes).await.map_err(ended)?;
    Ok(bytes)
}

fn ended(error: std::io::Error) -> ProxyError {
    ProxyError::Opening(match error.kind() {
        std::io::ErrorKind::UnexpectedEof => OpeningError::Ended,
        _ => OpeningError::Io(error),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_encoded() {
        let user = Credentials::new("u", "pw");
        assert_eq!(greeting(None), [5, 1, 0]);
        assert_eq!(greeting(Some(&user)), [5, 2, 0, 2]);
        assert_eq!(login(&user), [1, 1, b'u', 2, b'p', b'w']);
        assert_eq!(request("ab", 443).unwrap(), [5, 1, 0, 3, 2, b'a', b'b', 1, 187]);
        assert_eq!(request("127.0.0.1", 80).unwrap(), [5, 1, 0, 1, 127, 0, 0, 1, 0, 80]);
        let ipv6 = [&[5, 1, 0, 4][..], &[0; 15], &[1, 0, 80]].concat();
        assert_eq!(request("::1", 80).unwrap(), ipv6);
        let long = request(&"x".repeat(256), 80);
        assert!(matches!(long, Err(ProxyError::HostTooLong)), "{long:?}");
    }

    #[test]
    fn failures_of_rfc_1928_are_named() {
        for code in 1..=8 {
            let error = ProxyError::Socks5(code).to_string();
            assert!(!error.contains(&format!("failure {code}")), "{error}");
        }
        assert_eq!(ProxyError::Socks5(9).to_string(), "the proxy answered: failure 9");
    }

    #[test]
    fn replies_are_decoded() {
        let user = Credentials::new("u", "pw");
        assert_eq!(chosen([5, 0], Some(&user)).unwrap(), Method::NoAuthentication);
        assert_eq!(chosen([5, 2], Some(&user)).unwrap(), Method::UserAndPassword);
        // The method is not offered without a user.
        assert!(matches!(chosen([5, 2], None), Err(ProxyError::Method(false))));
        assert!(matches!(chosen([5, 255], Some(&user)), Err(ProxyError::Method(true))));
        assert!(matches!(chosen(*b"HT", None), Err(ProxyError::NotSocks5(b'H'))));
        assert!(matches!(logged_in([1, 1]), Err(ProxyError::Login)));
        assert!(matches!(connected([5, 5]), Err(ProxyError::Socks5(5))));
        assert!(matches!(connected([4, 0]), Err(ProxyError::NotSocks5(4))));
        assert_eq!(address_rest(3, 255).unwrap(), 257);
        assert!(address_rest(2, 0).is_err());
    }
}
