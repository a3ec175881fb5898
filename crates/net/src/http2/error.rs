use std::io;

use h2::Reason;

/// Converts an error of a stream. One of the transport below keeps its kind.
pub(crate) fn io_error(error: h2::Error) -> io::Error {
    if error.is_io()
        && let Some(error) = error.get_io()
    {
        return io::Error::new(error.kind(), error.to_string());
    }
    match error.reason() {
        Some(reason) if error.is_reset() => reset(reason),
        _ => io::Error::new(io::ErrorKind::ConnectionAborted, error),
    }
}

pub(crate) fn reset(reason: Reason) -> io::Error {
    let description = format!("the peer has reset the HTTP/2 stream: {}", reason.description());
    io::Error::new(io::ErrorKind::ConnectionReset, description)
}
