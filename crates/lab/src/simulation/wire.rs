//! Checks the bytes of one direction against the RFCs.

use std::collections::VecDeque;

use bytes::Bytes;
use fullduplex_proto::{CloseCode, CloseFrame, CloseReason, Message, Received, Role};

use super::frame::{BINARY, CLOSE, CONTINUATION, Header, PING, PONG, RSV1, TEXT};
use super::inflater::Inflater;

/// Parses the bytes that one end writes, and checks them against the rules for a sender.
#[derive(Debug)]
pub(super) struct Wire {
    writer: Role,
    /// Inflates its messages, if compression was agreed on.
    inflater: Option<Inflater>,
    /// The expected contents of the next data frames.
    contents: VecDeque<Content>,
    /// The bytes of an incomplete header.
    start: Vec<u8>,
    frame: Option<Frame>,
    message: Option<Fragments>,
    closed: bool,
    /// How many payload bytes of messages were written. Those of a compressed frame count when its last
    /// byte is written.
    data_bytes: u64,
}

/// The content of a data frame.
#[derive(Debug, Clone, Copy)]
pub(super) struct Content {
    pub(super) bytes: usize,
    pub(super) compressed: bool,
}

/// A frame whose header is complete.
#[derive(Debug)]
struct Frame {
    header: Header,
    /// `None` in a control frame.
    content: Option<Content>,
    payload: Vec<u8>,
}

/// A message whose last frame is not complete.
#[derive(Debug)]
struct Fragments {
    opcode: u8,
    compressed: bool,
    payload: Vec<u8>,
}

impl Wire {
    pub(super) fn new(writer: Role, inflater: Option<Inflater>) -> Self {
        Self {
            writer,
            inflater,
            contents: VecDeque::new(),
            start: Vec::new(),
            frame: None,
            message: None,
            closed: false,
            data_bytes: 0,
        }
    }

    /// Adds a data frame to the expected ones.
    pub(super) fn expect(&mut self, content: Content) {
        self.contents.push_back(content);
    }

    /// Returns whether a frame has begun and not ended.
    pub(super) fn is_within_frame(&self) -> bool {
        self.frame.is_some() || !self.start.is_empty()
    }

    /// Returns whether the Close was written.
    pub(super) fn is_closed(&self) -> bool {
        self.closed
    }

    pub(super) fn data_bytes(&self) -> u64 {
        self.data_bytes
    }

    /// Removes bytes from the front of `bytes` up to the end of the next message or control frame, and
    /// returns that message or frame. Returns `None` if `bytes` ends earlier.
    pub(super) fn read(&mut self, bytes: &mut &[u8]) -> Option<Received> {
        loop {
            if self.frame.is_none() {
                let (&next, rest) = bytes.split_first()?;
                *bytes = rest;
                self.start.push(next);
                if let Some(header) = Header::read(&self.start) {
                    self.start.clear();
                    self.check(&header);
                    let content =
                        if header.is_control() { None } else { self.contents.pop_front() };
                    self.frame = Some(Frame { header, content, payload: Vec::new() });
                }
            }
            if let Some(frame) = &mut self.frame {
                let bytes_needed = frame.header.length - frame.payload.len() as u64;
                let (fresh, rest) = bytes.split_at(bytes.len().min(bytes_needed as usize));
                *bytes = rest;
                frame.payload.extend_from_slice(fresh);
                if frame.content.is_some_and(|content| !content.compressed) {
                    self.data_bytes += fresh.len() as u64;
                }
                if (fresh.len() as u64) < bytes_needed {
                    return None;
                }
                if let Some(frame) = self.frame.take()
                    && let Some(event) = self.end_frame(frame)
                {
                    return Some(event);
                }
            }
        }
    }

    fn check(&self, header: &Header) {
        let Header { fin, reserved, opcode, mask, length, .. } = *header;
        assert_eq!(
            mask.is_some(),
            self.writer == Role::Client,
            "I2: a client masks, no server does"
        );
        if header.is_control() {
            assert!(matches!(opcode, CLOSE | PING | PONG), "I1: opcode {opcode}");
            assert!(fin && length <= 125, "I5: {header:?}");
            assert!(opcode != CLOSE || !self.closed, "I4: a second Close");
            assert_eq!(reserved, 0, "I8: {header:?}");
            return;
        }
        assert!(matches!(opcode, CONTINUATION | TEXT | BINARY), "I1: opcode {opcode}");
        assert!(!self.closed, "I3: data after a Close");
        let continues = opcode == CONTINUATION;
        assert_eq!(continues, self.message.is_some(), "I6: {header:?} among fragments");
        let content = self.contents.front().expect("D1: a frame that was not sent");
        let compressed = content.compressed && !continues;
        assert_eq!(reserved, if compressed { RSV1 } else { 0 }, "I8: {header:?}");
        assert!(!compressed || self.inflater.is_some(), "I8: compression was not agreed on");
        assert!(content.compressed || content.bytes as u64 == length, "D1: {header:?}");
    }

    fn end_frame(&mut self, Frame { header, content, mut payload }: Frame) -> Option<Received> {
        header.unmask(0, &mut payload);
        let content = match (header.opcode, content) {
            (PING, _) => return Some(Received::Ping(payload.into())),
            (PONG, _) => return Some(Received::Pong(payload.into())),
            (_, Some(content)) => content,
            (_, None) => {
                self.closed = true;
                return Some(Received::Close(close_frame(&payload)));
            }
        };
        if content.compressed {
            self.data_bytes += content.bytes as u64;
        }
        let (opcode, compressed) = (header.opcode, content.compressed);
        let begun = || Fragments { opcode, compressed, payload: Vec::new() };
        self.message.get_or_insert_with(begun).payload.append(&mut payload);
        if !header.fin {
            return None;
        }
        self.message.take().map(|message| Received::Message(self.end_message(message)))
    }

    fn end_message(&mut self, Fragments { opcode, compressed, payload }: Fragments) -> Message {
        let payload = match &mut self.inflater {
            Some(inflater) if compressed => inflater.inflate(payload),
            _ => payload,
        };
        if opcode == BINARY {
            return Message::Binary(Bytes::from(payload));
        }
        Message::from(String::from_utf8(payload).expect("I7: text is UTF-8"))
    }
}

fn close_frame(body: &[u8]) -> Option<CloseFrame> {
    if body.is_empty() {
        return None;
    }
    let (code, reason) = body.split_first_chunk().expect("I1: the body has a whole code");
    let code = CloseCode::new(u16::from_be_bytes(*code)).expect("I1: the code is valid");
    let reason = str::from_utf8(reason).expect("I7: the reason is UTF-8");
    let reason = CloseReason::new(reason).expect("I5: the reason has at most 123 bytes");
    Some(CloseFrame { code, reason })
}
