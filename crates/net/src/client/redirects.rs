use fullduplex_proto::Url;
use http::StatusCode;
use http::header::LOCATION;

use crate::http1::rejected::Rejected;

/// Whether a client goes where a server sends it instead of opening the connection (RFC6455-4.1-24). By
/// default it does not.
///
/// A redirect is never followed from `wss` to `ws`. `Authorization`, `Proxy-Authorization` and `Cookie`
/// headers of the application, and the credentials of the URL, stay with the origin that they were given
/// for; other headers are sent on, and a client's certificate is shown to whoever asks for it. Each
/// request has the deadlines anew.
#[derive(Debug, Clone, Copy)]
pub struct Redirects {
    limit: u32,
    allows: fn(&Url) -> bool,
}

/// Why a redirect is not followed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RedirectError {
    /// There were so many already.
    #[error("more than {0} redirects")]
    TooMany(u32),
    /// It leads nowhere.
    #[error("`{location}` is not where a WebSocket can be: {reason}")]
    Location {
        /// What the server said.
        location: String,
        /// What is wrong with it.
        reason: String,
    },
    /// It would give TLS up.
    #[error("`{0}` is not secure, and the address before it was")]
    Insecure(String),
    /// [`Redirects::only_if`] does not allow it.
    #[error("`{0}` is not allowed")]
    NotAllowed(String),
}

impl Redirects {
    /// Follows up to so many redirects for one connection.
    pub fn up_to(limit: u32) -> Self {
        Self { limit, ..Self::default() }
    }

    /// Follows those that lead to a URL of which `allows` says that it is allowed.
    pub fn only_if(mut self, allows: fn(&Url) -> bool) -> Self {
        self.allows = allows;
        self
    }

    /// Where `refused` leads, the answer to a request for `url` after so many redirects; `None` if it is
    /// no redirect, or none is followed.
    pub(crate) fn next(
        &self,
        url: &Url,
        refused: &Rejected,
        followed: u32,
    ) -> Result<Option<Url>, RedirectError> {
        let is_redirect = matches!(
            refused.status,
            StatusCode::MOVED_PERMANENTLY
                | StatusCode::FOUND
                | StatusCode::SEE_OTHER
                | StatusCode::TEMPORARY_REDIRECT
                | StatusCode::PERMANENT_REDIRECT
        );
        let Some(location) = refused.headers.get(LOCATION).filter(|_| is_redirect) else {
            return Ok(None);
        };
        if self.limit == 0 {
            return Ok(None);
        }
        if followed >= self.limit {
            return Err(RedirectError::TooMany(self.limit));
        }
        let location = String::from_utf8_lossy(location.as_bytes());
        let next = url.redirected(&location).map_err(|error| RedirectError::Location {
            location: location.clone().into_owned(),
            reason: error.to_string(),
        })?;
        if url.is_secure() && !next.is_secure() {
            return Err(RedirectError::Insecure(location.into_owned()));
        }
        if !(self.allows)(&next) {
            return Err(RedirectError::NotAllowed(location.into_owned()));
        }
        Ok(Some(next))
    }
}

impl Default for Redirects {
    fn default() -> Self {
        Self { limit: 0, allows: |_| true }
    }
}
