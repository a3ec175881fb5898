/// The reason why TLS cannot be set up with the given options.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TlsConfigError {
    /// A text is not usable PEM.
    #[error("could not read the {part} from PEM: {reason}")]
    Pem {
        /// The name of the text.
        part: &'static str,
        /// The reason why it is not usable.
        reason: String,
    },
    /// The platform has no usable roots, or a given root is not a certificate.
    #[error("could not load trusted roots: {0}")]
    Roots(String),
    /// The client's key does not belong to its certificate, or its kind is unknown.
    #[error("could not use the client's certificate and key: {0}")]
    Client(String),
    /// The server name is neither a DNS name nor an IP address.
    #[error("could not use `{0}` as a server name: it is neither a DNS name nor an IP address")]
    ServerName(String),
    /// The program was built without the feature `tls`.
    #[error("could not use TLS: the feature `tls` of fullduplex is off; enable it, or use `ws://`")]
    NotBuilt,
}
