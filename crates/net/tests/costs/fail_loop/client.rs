//! The peer: it says what its script says, whoever listens, and hears to the end.

use std::io::IoSlice;

use bytes::BytesMut;
use fullduplex_lab::script::{BINARY, CLOSE, CONTINUATION, FIN, PING, TEXT, masked_frame};
use fullduplex_net::proto::{Decoder, Deflate, Encoder, Limits, Message, Received, Role};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::sync::watch;

/// One step of the client's script.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    /// Sends bytes that are no message.
    Raw(Vec<u8>),
    /// Sends a message in one frame.
    Say(Message),
    /// Sends a message compressed, in one frame, with what the window holds of those before.
    Compress(Message),
    /// Sends a message in fragments of this size, with a ping behind each.
    Fragments(Message, usize),
    /// Waits until so many things were heard, the response among them, or nothing more can be.
    Hear(usize),
    /// Ends its direction of the transport.
    End,
}

/// What the server said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Heard {
    /// The response's head.
    pub(crate) head: BytesMut,
    /// What followed it.
    pub(crate) events: Vec<Received>,
}

impl Heard {
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

/// A Close frame of the client.
pub(crate) fn close(code: u16) -> Step {
    Step::Raw(masked_frame(FIN | CLOSE, code.to_be_bytes()))
}

/// The messages of a script.
pub(crate) fn messages(script: &[Step]) -> impl Iterator<Item = &Message> {
    script.iter().filter_map(|step| match step {
        Step::Say(message) | Step::Compress(message) | Step::Fragments(message, _) => Some(message),
        _ => None,
    })
}

/// Plays the script, and returns what was heard when the server has ended the transport.
pub(crate) async fn play(script: &[Step], stream: DuplexStream) -> Heard {
    let (mut reader, mut writer) = tokio::io::split(stream);
    let (count, mut counted) = watch::channel(0);
    let hearing = async move {
        let (mut heard, mut input) = (Heard::default(), BytesMut::new());
        let receiver = Decoder::new(Role::Client, Limits::default());
        let mut receiver = receiver.with_deflate(Deflate::default());
        while matches!(reader.read_buf(&mut input).await, Ok(1..)) {
            heard.take(&mut input, &mut receiver);
            count.send_replace(usize::from(!heard.head.is_empty()) + heard.events.len());
        }
        heard
    };
    let saying = async move {
        let mut sender =
            Encoder::client(Box::new(|| [5, 6, 7, 8])).with_deflate(Deflate::default());
        for step in script {
            match step {
                Step::Hear(enough) => drop(counted.wait_for(|count| count >= enough).await),
                Step::End => drop(writer.shutdown().await),
                // The server may have gone.
                _ => drop(writer.write_all(&step.bytes(&mut sender)).await),
            }
        }
        // Whoever has said all does not hang up.
        writer
    };
    tokio::join!(hearing, saying).0
}

impl Heard {
    fn take(&mut self, input: &mut BytesMut, receiver: &mut Decoder) {
        if self.head.is_empty() {
            let Some(end) = input.windows(4).position(|bytes| bytes == b"\r\n\r\n") else {
                return;
            };
            self.head = input.split_to(end + 4);
        }
        // A rejection has a body, and no frames.
        if self.head.starts_with(b"HTTP/1.1 101 ") {
            while let Some(event) = receiver.handle(input).expect("a server breaks no rule") {
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
            Self::Say(message) => masked_frame(FIN | opcode(message), message.payload()),
            Self::Fragments(message, size) => fragments(message, *size),
            Self::Hear(_) | Self::End => Vec::new(),
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
    sender.send(message).expect("nobody has closed it");
    let mut slices = [IoSlice::new(&[]); 1];
    sender.output(&mut slices);
    let bytes = slices[0].to_vec();
    sender.handle_written(bytes.len());
    assert_eq!(sender.queued_bytes(), 0, "a client queues in one piece");
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
