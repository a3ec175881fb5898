use fullduplex_proto::Url;
use http::StatusCode;
use http::header::LOCATION;

use crate::http1::rejected::Rejected;

/// Which redirects a client follows (RFC6455-4.1-24). Default: none.
///
/// A redirect from `wss` to `ws` is never followed. On a redirect to another origin, the credentials of the
/// URL and [secret headers](crate::is_secret_header) of the application are not sent. Other headers are sent
/// again, and a server that asks for the client's certificate gets it. The deadlines restart with each
/// request.
#[derive(Debug, Clone, Copy)]
pub struct Redirects {
    limit: u32,
    allows: fn(&Url) -> bool,
}

/// The reason why a redirect is not followed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RedirectError {
    /// The limit is reached.
    #[error("the limit of {0} redirects is reached")]
    TooMany(u32),
    /// The location is not the URL of a WebSocket.
    #[error("the location `{location}` is not the URL of a WebSocket: {reason}")]
    Location {
        /// The `Location` header.
        location: String,
        /// Why the location is not such a URL.
        reason: String,
    },
    /// The location does not use TLS, and the previous URL did.
    #[error("the location `{0}` does not use TLS, and the previous URL does")]
    Insecure(String),
    /// [`Redirects::only_if`] does not allow the location.
    #[error("the application does not allow the location `{0}`")]
    NotAllowed(String),
}

impl Redirects {
    /// Follows up to `limit` redirects for one connection.
    pub fn up_to(limit: u32) -> Self {
        Self { limit, ..Self::default() }
    }

    /// Follows only redirects to a URL for which `allows` returns true.
    pub fn only_if(mut self, allows: fn(&Url) -> bool) -> Self {
        self.allows = allows;
        self
    }

    /// Returns the next URL, if `rejected` is a redirect and redirects are followed; otherwise `None`.
    /// `rejected` is the response for `url`, after `followed` redirects.
    pub(crate) fn next(
        &self,
        url: &Url,
        rejected: &Rejected,
        followed: u32,
    ) -> Result<Option<Url>, RedirectError> {
        let is_redirect = matches!(
            rejected.status,
            StatusCode::MOVED_PERMANENTLY
                | StatusCode::FOUND
                | StatusCode::SEE_OTHER
                | StatusCode::TEMPORARY_REDIRECT
                | StatusCode::PERMANENT_REDIRECT
        );
        let Some(location) = rejected.headers.get(LOCATION).filter(|_| is_redirect) else {
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
