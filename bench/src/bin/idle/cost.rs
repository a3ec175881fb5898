use std::io;
use std::time::Duration;

use fullduplex_bench::client::{Client, Message, Offer};
use fullduplex_bench::peer::Peer;
use fullduplex_bench::server::Mode;

/// The message that each connection carries.
const MESSAGE: u16 = 16 << 10;

/// The number of messages in flight at a time.
const BATCH: usize = 100;

/// Connections that are opened and used before the first measurement, and stay open. They make a
/// server allocate what it needs only once, such as a buffer for all connections.
const WARM_UP: usize = 10;

/// The length of the warm-up messages with deflate. They are too short to be compressed. A warm-up of
/// compression is not needed, because each connection has its own contexts.
const SHORT_MESSAGE: u16 = 5;

const QUIET: Duration = Duration::from_millis(500);

/// The pause before a measurement with deflate. fullduplex keeps unused compression contexts for up to half a
/// minute, so the pause is this long for all servers.
const QUIET_AFTER_COMPRESSION: Duration = Duration::from_secs(35);

/// The memory cost of connections to a server: bytes of resident memory per connection.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cost {
    /// Open and never used.
    pub(crate) idle: f64,
    /// Idle again after a message in each direction.
    pub(crate) used: f64,
    /// Closed.
    pub(crate) closed: f64,
}

/// Opens connections to a new server, uses them and closes them.
pub(crate) fn measure(peer: &Peer, deflate: bool, connections: usize) -> io::Result<Cost> {
    let (mode, offer) =
        if deflate { (Mode::Deflate, Offer::Deflate) } else { (Mode::Echo, Offer::Nothing) };
    let server = peer.start(mode)?;
    let connect = || Client::connect(server.address, offer);

    let mut warm_up = (0..WARM_UP).map(|_| connect()).collect::<io::Result<Vec<_>>>()?;
    let len = if deflate { SHORT_MESSAGE } else { MESSAGE };
    echo(&mut warm_up, &Message::new(len, false))?;
    server.process.wait_until_quiet(QUIET)?;
    let (memory, files) = (server.process.anonymous_memory()?, server.process.open_files()?);
    let each = || -> io::Result<f64> {
        Ok((server.process.anonymous_memory()? as f64 - memory as f64) / connections as f64)
    };

    let mut clients = (0..connections).map(|_| connect()).collect::<io::Result<Vec<_>>>()?;
    server.process.wait_until_quiet(QUIET)?;
    let idle = each()?;

    echo(&mut clients, &Message::new(MESSAGE, deflate))?;
    server.process.wait_until_quiet(if deflate { QUIET_AFTER_COMPRESSION } else { QUIET })?;
    let used = each()?;

    drop(clients);
    server.process.wait_until_quiet(QUIET)?;
    let closed = each()?;
    match server.process.open_files()? {
        left if left == files => Ok(Cost { idle, used, closed }),
        left => Err(io::Error::other(format!("{left} files are open at the end, not {files}"))),
    }
}

fn echo(clients: &mut [Client], message: &Message) -> io::Result<()> {
    for batch in clients.chunks_mut(BATCH) {
        batch.iter_mut().try_for_each(|client| client.send(message))?;
        batch.iter_mut().try_for_each(|client| client.expect(message))?;
    }
    Ok(())
}
