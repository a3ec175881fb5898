use std::io;

use fullduplex_net::proto::{Observer, Role};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::event::{TapEvent, Totals};
use super::screen::Connection;

/// The number of bytes that are read at once.
const READ: usize = 16 << 10;

/// One direction of a connection, from its sender to the other end.
pub(super) struct Forwarder<'a> {
    pub(super) sender: Role,
    /// Parses the frames. Without it, the bytes are only counted.
    pub(super) observer: Option<Observer>,
    connection: &'a Connection<'a>,
    pub(super) totals: Totals,
}

/// A stream that failed.
#[derive(Debug)]
pub(super) struct Broken {
    /// The end whose stream failed.
    pub(super) end: Role,
    pub(super) error: io::Error,
}

impl<'a> Forwarder<'a> {
    pub(super) fn new(
        sender: Role,
        observer: Option<Observer>,
        connection: &'a Connection<'a>,
    ) -> Self {
        Self { sender, observer, connection, totals: Totals::default() }
    }

    /// Forwards the bytes that were already read, and then everything until the stream ends. The
    /// end is forwarded too.
    ///
    /// Reads only as fast as it can write and show the data.
    pub(super) async fn run(
        &mut self,
        mut input: &[u8],
        mut from: impl AsyncRead + Unpin,
        mut to: impl AsyncWrite + Unpin,
    ) -> Result<(), Broken> {
        let (sender, receiver) = (self.sender, self.sender.peer());
        let mut buffer = vec![0; READ];
        loop {
            if !input.is_empty() {
                self.show(input).await;
                let written = async {
                    to.write_all(input).await?;
                    to.flush().await
                };
                written.await.map_err(|error| Broken { end: receiver, error })?;
            }
            let count = from.read(&mut buffer).await;
            match count.map_err(|error| Broken { end: sender, error })? {
                0 => break,
                count => input = &buffer[..count],
            }
        }
        self.end().await;
        // This fails if the other end has already disconnected.
        to.shutdown().await.ok();
        Ok(())
    }

    /// Shows the end of the stream.
    pub(super) async fn end(&mut self) {
        let cut = self.observer.take().and_then(Observer::finish);
        self.connection.report(TapEvent::End(self.sender, cut)).await;
    }

    /// Shows the frames in these bytes.
    pub(super) async fn show(&mut self, mut bytes: &[u8]) {
        self.totals.bytes += bytes.len() as u64;
        while let Some(frame) = self.observer.as_mut().and_then(|it| it.observe(&mut bytes)) {
            self.totals.frames += 1;
            self.connection.report(TapEvent::Frame(self.sender, frame)).await;
        }
    }
}
