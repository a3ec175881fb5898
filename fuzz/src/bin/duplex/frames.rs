use fullduplex_proto::{FrameHeader, Opcode, Role};

/// RSV1, which marks a compressed message.
const RSV1: u8 = 0b100;

/// Checks the frames that an end has written. The last one may be incomplete. Returns whether a complete
/// Close is among them.
pub(crate) fn check(wire: &[u8], role: Role, may_compress: bool) -> bool {
    let (mut rest, mut is_within, mut is_closed) = (wire, false, false);
    while let Some((header, header_len)) = FrameHeader::parse(rest).expect("valid frames") {
        // RFC6455-5.1-1, RFC6455-5.1-3
        assert_eq!(header.mask.is_some(), role == Role::Client);
        // RFC6455-5.5.1-5: only Pongs may follow a Close.
        assert!(!is_closed || header.opcode == Opcode::Pong);
        // RFC7692-6.1-3
        let is_begin = matches!(header.opcode, Opcode::Text | Opcode::Binary);
        assert!(header.reserved == 0 || header.reserved == RSV1 && is_begin && may_compress);
        // RFC6455-5.4-3, RFC6455-5.4-10
        match header.opcode {
            Opcode::Text | Opcode::Binary => assert!(!is_within),
            Opcode::Continuation => assert!(is_within),
            Opcode::Close | Opcode::Ping | Opcode::Pong => {}
        }
        if !header.opcode.is_control() {
            is_within = !header.fin;
        }
        let end = header_len.saturating_add(header.payload_len as usize);
        let Some(after) = rest.get(end..) else {
            break;
        };
        is_closed |= header.opcode == Opcode::Close;
        rest = after;
    }
    is_closed
}
