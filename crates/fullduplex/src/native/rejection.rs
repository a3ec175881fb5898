//! What a rejected opening handshake means for the next attempt.

use std::time::{Duration, SystemTime};

use fullduplex_net::{ConnectError, ProxyError, Rejected};
use http::header::{DATE, RETRY_AFTER};
use http::{HeaderMap, HeaderName, StatusCode};

use crate::native::failure::Failure;

/// The longest wait that a `Retry-After` header can request.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(3600);

impl Failure {
    /// Returns whether another attempt with the same options would fail too (FC-07).
    pub(crate) fn is_permanent(&self) -> bool {
        match self {
            Self::BlockedPort(_)
            | Self::Connect(ConnectError::TlsOptions(_) | ConnectError::ReservedHeader(_)) => true,
            failure => {
                rejected(failure).is_some_and(|rejected| is_permanent_status(rejected.status))
            }
        }
    }

    /// Returns how long the server asks the client to wait before the next attempt (RFC 9110, section
    /// 10.2.3), up to an hour.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        let headers = &rejected(self)?.headers;
        let value = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
        let wait = match value.parse() {
            Ok(seconds) => Duration::from_secs(seconds),
            // The number of seconds does not fit into a u64.
            Err(_) if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) => {
                Duration::MAX
            }
            // The server's clock may differ from ours, so the date is compared with the response's own
            // date.
            Err(_) => {
                let now = date(headers, &DATE).unwrap_or_else(SystemTime::now);
                date(headers, &RETRY_AFTER)?.duration_since(now).unwrap_or_default()
            }
        };
        Some(wait.min(RETRY_AFTER_MAX))
    }
}

fn rejected(failure: &Failure) -> Option<&Rejected> {
    match failure {
        Failure::Connect(ConnectError::Rejected(rejected)) => Some(rejected),
        Failure::Connect(ConnectError::Proxy { error, .. }) => match &**error {
            ProxyError::Rejected(rejected) => Some(rejected),
            _ => None,
        },
        _ => None,
    }
}

/// Returns whether the next request would get the same status. A 5xx status and the 4xx statuses of this
/// list can change while a server or its load balancer restarts.
fn is_permanent_status(status: StatusCode) -> bool {
    let can_change = matches!(
        status,
        StatusCode::NOT_FOUND
            | StatusCode::REQUEST_TIMEOUT
            | StatusCode::CONFLICT
            | StatusCode::MISDIRECTED_REQUEST
            | StatusCode::LOCKED
            | StatusCode::TOO_EARLY
            | StatusCode::TOO_MANY_REQUESTS
    );
    status.is_client_error() && !can_change
}

fn date(headers: &HeaderMap, name: &HeaderName) -> Option<SystemTime> {
    httpdate::parse_http_date(headers.get(name)?.to_str().ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// FC-07
    #[test]
    fn most_4xx_are_permanent() {
        for permanent in [400, 401, 402, 403, 405, 406, 407, 410, 414, 426, 431, 451] {
            assert!(is_permanent_status(StatusCode::from_u16(permanent).unwrap()), "{permanent}");
        }
        for can_change in [200, 302, 404, 408, 409, 421, 423, 425, 429, 500, 502, 503, 504] {
            assert!(
                !is_permanent_status(StatusCode::from_u16(can_change).unwrap()),
                "{can_change}"
            );
        }
    }
}
