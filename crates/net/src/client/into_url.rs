use fullduplex_proto::{Url, UrlError};
use http::Uri;

/// A URL, or text that is parsed as one: what [`connect`](crate::connect) takes.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a URL of a WebSocket",
    label = "expected a `&str`, `String`, `Url`, `&Url` or `http::Uri`"
)]
pub trait IntoUrl: sealed::Sealed {
    /// Converts to a URL.
    ///
    /// # Errors
    /// [`UrlError`] if it is not the URL of a WebSocket (RFC6455-4.1-2).
    fn into_url(self) -> Result<Url, UrlError>;
}

mod sealed {
    pub trait Sealed {}
}

/// Implements the trait for each type, with the given conversion.
macro_rules! into_url {
    ($($type:ty => |$value:ident| $url:expr;)*) => {$(
        impl sealed::Sealed for $type {}

        impl IntoUrl for $type {
            fn into_url(self) -> Result<Url, UrlError> {
                let $value = self;
                $url
            }
        }
    )*};
}

into_url! {
    Url => |url| Ok(url);
    &Url => |url| Ok(url.clone());
    &str => |text| Url::parse(text);
    String => |text| Url::parse(&text);
    &String => |text| Url::parse(text);
    Uri => |uri| Url::parse(&uri.to_string());
    &Uri => |uri| Url::parse(&uri.to_string());
}
