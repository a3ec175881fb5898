use std::io;

use fullduplex_net::proto::{Observer, Role};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::happening::Happening;
use super::screen::Connection;

/// How much is read at once.
const READ: usize = 16 << 10;

/// One direction of a connection: what this end says, on its way to the other.
pub(super) struct Lane<'a> {
    sender: Role,
    /// What reads the frames; `None` for what is no WebSocket.
    observer: Option<Observer>,
    connection: &'a Connection<'a>,
    pub(super) passed: Passed,
}

/// How much has passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Passed {
    pub(super) frames: u64,
    /// Of the stream, the heads of HTTP left out.
    pub(super) bytes: u64,
}

/// A stream that broke: whose, and how.
#[derive(Debug)]
pub(super) struct Broken {
    pub(super) end: Role,
    pub(super) error: io::Error,
}

impl<'a> Lane<'a> {
    pub(super) fn new(
        sender: Role,
        observer: Option<Observer>,
        connection: &'a Connection<'a>,
    ) -> Self {
        Self { sender, observer, connection, passed: Passed::default() }
    }

    /// Passes on what has come, and then all that comes until the stream ends, which is passed on too.
    ///
    /// It is read no faster than it is written, and shown.
    pub(super) async fn pass(
        &mut self,
        mut input: &[u8],
        mut from: impl AsyncRead + Unpin,
        mut to: impl AsyncWrite + Unpin,
    ) -> Result<(), Broken> {
        let (sender, receiver) = (self.sender, self.sender.peer());
        let mut buffer = vec![0; READ];
        loop {
            if !input.is_empty() {
                self.show(input);
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
        self.end();
        // The other end may have gone already, and then it need not be told.
        to.shutdown().await.ok();
        Ok(())
    }

    fn show(&mut self, mut bytes: &[u8]) {
        self.passed.bytes += bytes.len() as u64;
        let Some(observer) = &mut self.observer else { return };
        while let Some(frame) = observer.observe(&mut bytes) {
            self.passed.frames += 1;
            self.connection.tell(&Happening::Frame(self.sender, &frame));
        }
    }

    fn end(&mut self) {
        let cut = self.observer.take().and_then(Observer::finish);
        self.connection.tell(&Happening::End(self.sender, cut.as_ref()));
    }
}
