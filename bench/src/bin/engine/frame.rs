use crate::case::{Case, Direction, Role};

const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// Bits of the first two bytes.
const TEXT: u8 = 0x81;
const BINARY: u8 = 0x82;
const MASKED: u8 = 0x80;

/// Returns the frame of each message of the case.
pub(crate) fn frame(case: &Case) -> Vec<u8> {
    let payload = case.payload();
    let (masked, mask) =
        match (case.role, case.direction) {
            (Role::Server, Direction::Receive | Direction::Echo)
            | (Role::Client, Direction::Send) => (MASKED, MASK),
            (Role::Client, Direction::Receive | Direction::Echo)
            | (Role::Server, Direction::Send) => (0, [0; 4]),
        };
    let mut frame = vec![if case.is_text() { TEXT } else { BINARY }];
    match u16::try_from(payload.len()) {
        Ok(len @ ..126) => frame.push(masked | len as u8),
        Ok(len) => {
            frame.push(masked | 126);
            frame.extend(len.to_be_bytes());
        }
        Err(_) => {
            frame.push(masked | 127);
            frame.extend((payload.len() as u64).to_be_bytes());
        }
    }
    if masked != 0 {
        frame.extend(mask);
    }
    frame.extend(payload.iter().zip(mask.into_iter().cycle()).map(|(byte, key)| byte ^ key));
    frame
}
