//! The client. It sends its whole script, even if the server does not read it, and then reads to the end of
//! the stream.

use std::io::IoSlice;

use bytes::BytesMut;
use fullduplex_lab::script::{BINARY, CLOSE, CONTINUATION, FIN, PING, TEXT, masked_frame};
use fullduplex_net::proto::{Decoder, DeflateConfig, Encoder, Limits, Message, Received, Role};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::sync::watch;

/// One step of the client's script.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    /// Sends bytes as they are.
    Raw(Vec<u8>),
    /// Sends a message in one frame.
    Write(Message),
    /// Sends a compressed message in one frame, with context takeover.
    Compress(Message),
    /// Sends a message in fragments of this size, with a Ping after each.
    Fragments(Message, usize),
    /// Waits until this many events were received, or until the stream has ended. The response counts
    /// as one event.
    Read(usize),
    /// Shuts down its direction of the transport.
    End,
}

/// What the server sent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Transcript {
    /// The head of the response.
    pub(crate) head: BytesMut,
    /// The events after the head.
    pub(crate) events: Vec<Received>,
}

impl Transcript {
    pub(crate) fn messages(&self) -> impl Iterator<Item = &Message> {
        self.events.iter().filter_map(|event| match event {
            Received::Message(message) => Some(message),
            _ => None,
        })
    }

    pub(crate) fn close(&self) -> Option<&Received> {
        self.events.iter().find(|event| matches!(event, Received::Close(_)))
    }
}

/// Returns a step that sends a Close.
pub(crate) fn close(code: u16) -> Step {
    Step::Raw(masked_frame(FIN | CLOSE, code.to_be_bytes()))
}

/// Returns the messages that a script sends.
pub(crate) fn messages(script: &[Step]) -> impl Iterator<Item = &Message> {
    script.iter().filter_map(|step| match step {
        Step::Write(message) | Step::Compress(message) | Step::Fragments(message, _) => {
            Some(message)
        }
        _ => None,
    })
}

/// Plays the script. Returns what was received until the server ended the stream.
pub(crate) async fn play(script: &[Step], stream: DuplexStream) -> Transcript {
    let (mut reader, mut writer) = tokio::io::split(stream);
    let (count, mut counted) = watch::channel(0);
    let hearing = async move {
        let (mut transcript, mut input) = (Transcript::default(), BytesMut::new());
        let receiver = Decoder::new(Role::Client, Limits::default());
        let mut receiver = receiver.with_deflate(DeflateConfig::default());
        while matches!(reader.read_buf(&mut input).await, Ok(1..)) {
            transcript.take(&mut input, &mut receiver);
            count.send_replace(usize::from(!transcript.head.is_empty()) + transcript.events.len());
        }
        transcript
    };
    let saying = async move {
        let mut sender =
            Encoder::client(Box::new(|| [5, 6, 7, 8])).with_deflate(DeflateConfig::default());
        for step in script {
            match step {
                Step::Read(enough) => drop(counted.wait_for(|count| count >= enough).await),
                Step::End => drop(writer.shutdown().await),
                // The server may have closed.
                _ => drop(writer.write_all(&step.bytes(&mut sender)).await),
            }
        }
        // Sending everything does not shut down the client's direction.
        writer
    };
    tokio::join!(hearing, saying).0
}

impl Transcript {
    fn take(&mut self, input: &mut BytesMut, receiver: &mut Decoder) {
        if self.head.is_empty() {
            let Some(end) = input.windows(4).position(|bytes| bytes == b"\r\n\r\n") else {
                return;
            };
            self.head = input.split_to(end + 4);
        }
        // A rejection has a body, not frames.
        if self.head.starts_with(b"HTTP/1.1 101 ") {
            while let Some(event) = receiver.handle(input).expect("a server sends valid frames") {
                self.events.push(event);
            }
        }
    }
}

impl Step {
    fn bytes(&self, sender: &mut Encoder) -> Vec<u8> {
        match self {
            Self::Raw(bytes) => bytes.clone(),
            Self::Compress(message) => compressed(sender, message),
            Self::Write(message) => masked_frame(FIN | opcode(message), message.payload()),
            Self::Fragments(message, size) => fragments(message, *size),
            Self::Read(_) | Self::End => Vec::new(),
        }
    }
}

fn opcode(message: &Message) -> u8 {
    match message {
        Message::Text(_) => TEXT,
        Message::Binary(_) => BINARY,
    }
}

fn compressed(sender: &mut Encoder, message: &Message) -> Vec<u8> {
    sender.send(message).expect("the encoder is open");
    let mut slices = [IoSlice::new(&[]); 1];
    sender.output(&mut slices);
    let bytes = slices[0].to_vec();
    sender.handle_written(bytes.len());
    assert_eq!(sender.queued_bytes(), 0, "a client queues one slice");
    bytes
}

fn fragments(message: &Message, size: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (number, fragment) in message.payload().chunks(size).enumerate() {
        let opcode = if number == 0 { opcode(message) } else { CONTINUATION };
        bytes.extend(masked_frame(opcode, fragment));
        bytes.extend(masked_frame(FIN | PING, [number as u8]));
    }
    bytes.extend(masked_frame(FIN | CONTINUATION, ""));
    bytes
}
