use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use fullduplex_bench::client::{CLOSE, Offer, Opening, frame};

use crate::traffic::Traffic;

/// The number of connections in a batch. They do each step of the handshakes together.
const BATCH: usize = 10;

/// The close code of a normal end.
const NORMAL: [u8; 2] = 1000_u16.to_be_bytes();

/// Opens and closes batches of connections until the time is over, at least one batch. Each
/// connection counts as one message.
pub(crate) fn shake_hands(
    address: SocketAddr,
    is_raw: bool,
    time: Duration,
) -> io::Result<Traffic> {
    let start = Instant::now();
    let mut traffic = Traffic::default();
    while traffic.messages == 0 || start.elapsed() < time {
        let openings: Vec<Opening> = (0..BATCH)
            .map(|_| Opening::start(address, Offer::Nothing))
            .collect::<io::Result<_>>()?;
        let mut streams: Vec<TcpStream> =
            openings.into_iter().map(Opening::finish).collect::<io::Result<_>>()?;
        for stream in &mut streams {
            stream.write_all(&frame(CLOSE, &NORMAL))?;
            if is_raw {
                stream.shutdown(Shutdown::Write)?;
            }
        }
        streams.iter_mut().try_for_each(expect_close)?;
        traffic.messages += BATCH as u64;
    }
    Ok(traffic)
}

/// Expects a Close and then the end of TCP, which the server closes first (RFC 6455 section 7.1.1).
fn expect_close(stream: &mut TcpStream) -> io::Result<()> {
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest)?;
    match rest.first() {
        Some(&CLOSE) => Ok(()),
        _ => Err(io::Error::other(format!("a connection ended with {rest:x?}"))),
    }
}
