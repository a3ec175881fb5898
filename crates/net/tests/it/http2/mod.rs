//! WebSockets over HTTP/2 (RFC 8441), between our ends and with scripted peers.

mod client;
mod floods;
mod hostile;
mod raw;
mod server;
