use fullduplex_net::proto::{Observed, Opcode};

/// Returns the name of an opcode.
pub(super) fn kind_of(opcode: u8) -> &'static str {
    match Opcode::from_bits(opcode) {
        Some(Opcode::Continuation) => "continuation",
        Some(Opcode::Text) => "text",
        Some(Opcode::Binary) => "binary",
        Some(Opcode::Close) => "close",
        Some(Opcode::Ping) => "ping",
        Some(Opcode::Pong) => "pong",
        None => "reserved",
    }
}

/// Returns the content of a frame as text. For a frame of a text message, returns the valid part of
/// the kept content, because a fragment may begin and end within a character. For any other frame,
/// returns text only if the whole content is valid text.
pub(super) fn text_of(frame: &Observed) -> Option<String> {
    let is_text = match frame.message {
        Some(opcode) => opcode == Opcode::Text,
        None => frame.opcode != Opcode::Close as u8 && str::from_utf8(&frame.content).is_ok(),
    };
    is_text.then(|| String::from_utf8_lossy(&frame.content).into_owned())
}
