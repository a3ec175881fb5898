pub(crate) mod read;
pub(crate) mod rejected;

/// Formats a host and a port. Puts an IPv6 address in brackets.
pub(crate) fn host_and_port(host: &str, port: u16) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}
