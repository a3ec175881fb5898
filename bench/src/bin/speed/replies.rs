use std::io;

use fullduplex_bench::client::Offer;

use crate::deflate::Inflater;
use crate::script::Reply;

/// Parses the frames of the replies on one connection as they arrive, in pieces of any size.
#[derive(Debug)]
pub(crate) struct Replies {
    /// The part of a frame header that has arrived.
    header: [u8; HEADER],
    header_len: usize,
    /// The rest of the frame's payload; `None` within the header.
    left: Option<usize>,
    /// The index of the current reply in the burst, and the length of its payload so far.
    index: usize,
    len: usize,
    /// Its payload, if it has to be inflated.
    payload: Vec<u8>,
    /// `None` once a message was not inflated, because later ones may depend on it.
    inflater: Option<Inflater>,
    /// The total number of bytes received.
    pub(crate) bytes: u64,
}

/// How thoroughly replies are checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Check {
    /// Opcodes and lengths.
    Headers,
    /// The content too.
    All,
}

/// The length of the longest header.
const HEADER: usize = 14;

const FIN: u8 = 0x80;
const MASKED: u8 = 0x80;

impl Replies {
    pub(crate) fn new(offer: Offer) -> Self {
        Self {
            header: [0; HEADER],
            header_len: 0,
            left: None,
            index: 0,
            len: 0,
            payload: Vec::new(),
            inflater: Some(Inflater::new(offer)),
            bytes: 0,
        }
    }

    /// Parses received bytes. Returns whether the burst is complete. If so, the next one is
    /// expected.
    pub(crate) fn take(
        &mut self,
        mut bytes: &[u8],
        burst: &[Reply],
        check: Check,
    ) -> io::Result<bool> {
        self.bytes += bytes.len() as u64;
        while !bytes.is_empty() {
            let reply =
                burst.get(self.index).ok_or_else(|| fault("more was received than sent"))?;
            match self.left {
                None => bytes = self.take_header(bytes, reply)?,
                Some(left) => {
                    let (part, rest) = bytes.split_at(left.min(bytes.len()));
                    self.take_payload(part, reply, check)?;
                    self.left = Some(left - part.len());
                    bytes = rest;
                }
            }
            if self.left == Some(0) {
                self.end_frame(reply, check)?;
            }
        }
        let is_complete = self.index == burst.len();
        if is_complete {
            self.index = 0;
        }
        Ok(is_complete)
    }

    /// Parses bytes of a header. Returns the rest.
    fn take_header<'a>(&mut self, mut bytes: &'a [u8], reply: &Reply) -> io::Result<&'a [u8]> {
        while let Some((&byte, rest)) = bytes.split_first() {
            bytes = rest;
            self.header[self.header_len] = byte;
            self.header_len += 1;
            if let Some(len) = payload_len(&self.header[..self.header_len]) {
                let expected = if self.len == 0 { reply.first & !FIN } else { 0 };
                if self.header[0] & !FIN != expected {
                    return Err(fault(&format!("a frame begins with {:#x}", self.header[0])));
                }
                self.left = Some(len);
                break;
            }
        }
        Ok(bytes)
    }

    fn take_payload(&mut self, part: &[u8], reply: &Reply, check: Check) -> io::Result<()> {
        if check == Check::All && reply.is_compressed {
            self.payload.extend(part);
        } else if check == Check::All {
            let expected = reply.content.get(self.len..self.len + part.len());
            if expected != Some(part) {
                return Err(fault("the reply is not the message"));
            }
        }
        self.len += part.len();
        Ok(())
    }

    fn end_frame(&mut self, reply: &Reply, check: Check) -> io::Result<()> {
        self.left = None;
        self.header_len = 0;
        if self.header[0] & FIN == 0 {
            return Ok(());
        }
        match (reply.is_compressed, check, &mut self.inflater) {
            (true, Check::All, Some(inflater)) => {
                if !inflater.yields(&mut self.payload, &reply.content) {
                    return Err(fault("the inflated reply is not the message"));
                }
            }
            (true, _, inflater) => *inflater = None,
            (false, ..) if self.len != reply.content.len() => {
                let expected = reply.content.len();
                return Err(fault(&format!("{} bytes were received, not {expected}", self.len)));
            }
            (false, ..) => {}
        }
        self.payload.clear();
        self.len = 0;
        self.index += 1;
        Ok(())
    }
}

/// Returns the length of the payload, if the header is complete.
fn payload_len(header: &[u8]) -> Option<usize> {
    let [_, second, rest @ ..] = header else { return None };
    let mask = if second & MASKED == 0 { 0 } else { 4 };
    let (size, len) = match second & !MASKED {
        126 => (2, u16::from_be_bytes(*rest.first_chunk()?).into()),
        127 => (8, u64::from_be_bytes(*rest.first_chunk()?)),
        len => (0, len.into()),
    };
    (rest.len() == size + mask).then_some(usize::try_from(len).unwrap_or(usize::MAX))
}

fn fault(what: &str) -> io::Error {
    io::Error::other(what.to_owned())
}
