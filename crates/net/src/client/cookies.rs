use std::fmt;

use fullduplex_proto::Url;
use http::HeaderValue;

/// A jar of cookies, which is asked before each opening request and told of each response: by the task
/// that connects, which it must not hold up.
pub trait CookieStore: fmt::Debug + Send + Sync {
    /// The value of the `Cookie` header of a request for `url`; `None` if there is no cookie for it. It is
    /// not asked where the application sets that header.
    fn cookies(&self, url: &Url) -> Option<HeaderValue>;

    /// Takes the `Set-Cookie` headers of a response for `url`, whether or not it has opened the
    /// connection. It is not called when there are none.
    fn set_cookies(&self, url: &Url, values: &[HeaderValue]);
}
