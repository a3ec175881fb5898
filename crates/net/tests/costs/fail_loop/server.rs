//! The server under test: a socket over a stream that fails.

use fullduplex_net::proto::{
    CloseCode, CloseFrame, Closed, DeflateConfig, Message, Outgoing, Part,
};
use fullduplex_net::{AcceptOptions, SendError, Socket, accept};
use tokio::io::{AsyncRead, AsyncWrite};

/// The limit for a message, in bytes.
pub(crate) const LIMIT: usize = 1 << 18;

/// One step of the server's script.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    /// Receives a message.
    Receive,
    /// Receives a message in parts.
    ReceiveParts,
    /// Sends a message and waits until it is written.
    Send(Outgoing),
    /// Sends a message in parts and waits for each.
    SendParts(Vec<Message>),
    /// Queues a message.
    Feed(Message),
    /// Waits until all queued messages are written.
    Flush,
    /// Queues a Ping.
    Ping,
    /// Starts the closing handshake.
    StartClose(CloseCode),
}

/// The results of the server's calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Report {
    /// `accept` failed with this error.
    NotOpened(String),
    /// The connection has ended.
    Ended {
        /// The messages sent, without those that were rejected at once.
        sent: Vec<Message>,
        received: Vec<Message>,
        closed: Closed,
    },
}

/// Plays the script, then receives until the connection ends.
pub(crate) async fn play<S: AsyncRead + AsyncWrite + Unpin>(script: &[Step], stream: S) -> Report {
    let mut options = AcceptOptions::default().deflate(DeflateConfig::default());
    options.limits.message_bytes = LIMIT;
    let mut socket = match accept(stream, &options).await {
        Ok(socket) => socket,
        Err(error) => return Report::NotOpened(error.to_string()),
    };
    let (mut sent, mut received) = (Vec::new(), Vec::new());
    for step in script {
        match step {
            Step::Receive => received.extend(socket.recv().await.ok().flatten()),
            Step::ReceiveParts => received.extend(receive_parts(&mut socket).await),
            Step::Send(outgoing) => {
                let sending = socket.send(outgoing.clone()).await;
                note(&mut sent, outgoing.message(), sending);
            }
            Step::SendParts(parts) => {
                let sending = send_parts(&mut socket, parts).await;
                note(&mut sent, &joined(parts), sending);
            }
            Step::Feed(message) => {
                let feeding = socket.feed(message.clone()).await;
                note(&mut sent, message, feeding);
            }
            Step::Flush => drop(socket.flush().await),
            Step::Ping => drop(socket.ping(b"there?")),
            Step::StartClose(code) => socket.start_close(Some(&CloseFrame::code(*code))),
        }
    }
    while let Ok(Some(message)) = socket.recv().await {
        received.push(message);
    }
    let closed = ended(&mut socket).await;
    Report::Ended { sent, received, closed }
}

/// Receives a message in parts, if all of them arrive.
async fn receive_parts<S: AsyncRead + AsyncWrite + Unpin>(
    socket: &mut Socket<S>,
) -> Option<Message> {
    let mut parts = Vec::new();
    loop {
        let Part { content, last } = socket.recv_part().await.ok().flatten()?;
        parts.push(content);
        if last {
            return Some(joined(&parts));
        }
    }
}

async fn send_parts<S: AsyncRead + AsyncWrite + Unpin>(
    socket: &mut Socket<S>,
    parts: &[Message],
) -> Result<(), SendError> {
    for (number, content) in parts.iter().cloned().enumerate() {
        socket.send_part(&Part { content, last: number + 1 == parts.len() }).await?;
    }
    Ok(())
}

/// Joins the binary parts of a message.
fn joined(parts: &[Message]) -> Message {
    let bytes: Vec<u8> = parts.iter().flat_map(|part| part.payload().to_vec()).collect();
    bytes.into()
}

/// Records a message that was written completely or in part.
fn note(sent: &mut Vec<Message>, message: &Message, result: Result<(), SendError>) {
    if matches!(result, Ok(()) | Err(SendError::Io(_))) {
        sent.push(message.clone());
    }
}

/// Checks that every method reports the same end, no matter how often it is called.
async fn ended<S: AsyncRead + AsyncWrite + Unpin>(socket: &mut Socket<S>) -> Closed {
    let closed =
        socket.close_result().expect("receiving ends when the connection has ended").clone();
    for _ in 0..3 {
        match socket.recv().await {
            Ok(message) => assert_eq!((message, closed.failure()), (None, None)),
            Err(error) => assert_eq!(Some(error.failure()), closed.failure()),
        }
        assert_eq!(socket.close_result().as_ref(), Some(&closed));
        assert_eq!(socket.error().map(|error| error.failure()), closed.failure());
        assert!(socket.send("too late").await.is_err());
        socket.start_close(None);
        assert_eq!(socket.queued_bytes(), 0);
        assert!(!closed.was_clean() || closed.failure().is_none());
    }
    closed
}
