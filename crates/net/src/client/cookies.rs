use std::fmt;

use fullduplex_proto::Url;
use http::HeaderValue;

/// A store of cookies. The connecting task calls it before each opening request and after each response,
/// so its methods must not block.
pub trait CookieStore: fmt::Debug + Send + Sync {
    /// Returns the value of the `Cookie` header for a request to `url`, or `None` if there is no cookie. This
    /// method is not called if the application sets that header itself.
    fn cookies(&self, url: &Url) -> Option<HeaderValue>;

    /// Stores the `Set-Cookie` headers of a response from `url`, whether or not the response opened the
    /// connection. This method is not called if the response has none.
    fn set_cookies(&self, url: &Url, values: &[HeaderValue]);
}
