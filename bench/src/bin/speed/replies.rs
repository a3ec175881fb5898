use std::io;

use crate::script::Reply;

/// Follows the frames that come back on one connection, as they arrive, in whatever pieces.
#[derive(Debug, Default)]
pub(crate) struct Replies {
    /// The header of a frame, as far as it has come.
    header: [u8; 14],
    header_len: usize,
    /// What of the payload of this frame is still to come; `None` within the header.
    left: Option<usize>,
    /// Which reply of the script this is, and how much of its payload has come.
    index: usize,
    len: usize,
    /// All bytes that have come.
    pub(crate) bytes: u64,
}

/// How closely replies are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Check {
    /// Opcodes and lengths.
    Headers,
    /// The content too.
    All,
}

impl Replies {
    /// Whether all replies have come, and if so starts anew.
    pub(crate) fn start_anew(&mut self, script: &[Reply]) -> bool {
        let is_complete = self.index == script.len();
        if is_complete {
            self.index = 0;
        }
        is_complete
    }

    /// Takes what has come.
    pub(crate) fn take(
        &mut self,
        mut bytes: &[u8],
        script: &[Reply],
        check: Check,
    ) -> io::Result<()> {
        self.bytes += bytes.len() as u64;
        while !bytes.is_empty() {
            let reply = script.get(self.index).ok_or_else(|| fault("more came than was sent"))?;
            match self.left {
                None => bytes = self.take_header(bytes, reply)?,
                Some(left) => {
                    let (part, rest) = bytes.split_at(left.min(bytes.len()));
                    if check == Check::All
                        && reply.payload.get(self.len..self.len + part.len()) != Some(part)
                    {
                        return Err(fault("what came back is another message"));
                    }
                    self.len += part.len();
                    self.left = Some(left - part.len());
                    bytes = rest;
                }
            }
            if self.left == Some(0) {
                self.end_frame(reply)?;
            }
        }
        Ok(())
    }

    /// Takes some bytes of a header, and returns the others.
    fn take_header<'a>(&mut self, mut bytes: &'a [u8], reply: &Reply) -> io::Result<&'a [u8]> {
        while let Some((&byte, rest)) = bytes.split_first() {
            bytes = rest;
            self.header[self.header_len] = byte;
            self.header_len += 1;
            if let Some(len) = payload_len(&self.header[..self.header_len]) {
                let is_expected = match self.len {
                    0 => self.header[0] & !FIN == reply.first & !FIN,
                    _ => self.header[0] & !FIN == 0,
                };
                if !is_expected {
                    return Err(fault(&format!("a frame begins with {:#x}", self.header[0])));
                }
                self.left = Some(len);
                break;
            }
        }
        Ok(bytes)
    }

    fn end_frame(&mut self, reply: &Reply) -> io::Result<()> {
        self.left = None;
        self.header_len = 0;
        if self.header[0] & FIN != 0 {
            if self.len != reply.payload.len() {
                return Err(fault(&format!(
                    "{} bytes came back, not {}",
                    self.len,
                    reply.payload.len()
                )));
            }
            self.len = 0;
            self.index += 1;
        }
        Ok(())
    }
}

const FIN: u8 = 0x80;
const MASKED: u8 = 0x80;

/// The length of the payload, if the header is complete.
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
