use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::Instant;

use fullduplex_lab::ca::Identity;
use fullduplex_lab::echo;
use fullduplex_lab::proxy::{PATIENCE, Proxy, Software};
use fullduplex_lab::script::SAMPLE_REQUEST;

use crate::Failure;

/// Checks that the proxy drops an idle connection if our server does not send Pings in time. Otherwise the
/// trial `silence` would prove nothing.
pub(crate) fn check(software: Software, identity: &Identity) -> Result<(), Failure> {
    let proxy = Proxy::start(software, echo::start(None), identity)?;
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, proxy.port()))?;
    let begin = Instant::now();
    stream.write_all(SAMPLE_REQUEST.as_bytes())?;
    stream.set_read_timeout(Some(PATIENCE * 5))?;
    let mut received = Vec::new();
    let end = stream.read_to_end(&mut received);
    let silence = begin.elapsed();
    let name = software.version()?;
    if end.is_err() || silence < PATIENCE || !received.starts_with(b"HTTP/1.1 101 ") {
        let received = String::from_utf8_lossy(&received);
        return Err(
            format!("{name} did not open and then drop a connection: {received}, {end:?}").into()
        );
    }
    println!("{name} drops a connection that is idle for {:.1} s", silence.as_secs_f64());
    Ok(())
}
