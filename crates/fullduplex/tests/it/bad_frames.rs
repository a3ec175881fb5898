//! Servers that send invalid frames. They receive a Close with the code of the violation. The
//! `WebSocket` fails once, reports the cause, and delivers nothing of the invalid message.

use fullduplex::{Limits, WebSocket};
use fullduplex_lab::script::{
    BINARY, CLOSE, CONTINUATION, FIN, PING, Peer, SAMPLE_ACCEPT, SAMPLE_REQUEST, Scripted, TEXT,
    close_frame, frame, guarded, header, script,
};
use fullduplex_net::proto::{ConnectionError, Violation};
use fullduplex_net::{AcceptOptions, accept};

const PROTOCOL_ERROR: u16 = 1002;
const INVALID_PAYLOAD: u16 = 1007;
const MESSAGE_TOO_BIG: u16 = 1009;

const BEFORE: [&str; 2] = ["open", r#"message "before""#];

/// Starts a server that sends a valid message and then `bytes`, and reads a Close.
async fn sending(bytes: Vec<u8>) -> Scripted<Option<u16>> {
    script(async move |mut peer: Peer| {
        peer.shake_hands().await;
        peer.send(frame(FIN | TEXT, "before")).await;
        peer.send(bytes).await;
        peer.expect_close().await
    })
    .await
}

/// Checks how the client fails, and which close code the server receives, for each of `outputs`.
async fn fail_with(code: u16, cause: &str, outputs: impl IntoIterator<Item = Vec<u8>>) {
    for output in outputs {
        let context = format!("{:02x?}", &output[..output.len().min(20)]);
        let (trace, sent_code) = sending(output).await.record().await;
        trace.assert_failed(&BEFORE, cause);
        assert_eq!(sent_code, Some(code), "{context}");
    }
}

/// RFC6455-5.2-3, RFC6455-5.2-4, RFC6455-10.4-1.
#[tokio::test]
async fn impossible_lengths_fail() {
    let overflowing = [1 << 63, u64::MAX].map(|length| header(FIN | BINARY, length));
    fail_with(PROTOCOL_ERROR, "lengths end at 2^63 - 1", overflowing).await;
    let enormous = [1 << 62, (64 << 20) + 1].map(|length| header(FIN | BINARY, length));
    fail_with(MESSAGE_TOO_BIG, "a message of more than 67108864 bytes", enormous).await;
    let padded = vec![FIN | TEXT, 126, 0, 5];
    fail_with(PROTOCOL_ERROR, "in a longer form than it needs", [padded]).await;
}

/// RFC6455-10.4-2.
#[tokio::test]
async fn the_limit_is_the_largest_size_allowed() {
    let mut limits = Limits::default();
    limits.message_bytes = 1000;
    let x = |count: usize| "x".repeat(count);
    let outputs = [
        // The header alone exceeds the limit.
        header(FIN | TEXT, 1001),
        [frame(TEXT, x(600)), header(FIN | CONTINUATION, 401)].concat(),
        // A peer that keeps sending more than the socket buffers hold still receives the code.
        frame(FIN | TEXT, x(16 << 20)),
    ];
    let delivered = format!("message {:?}", x(1000));
    for output in outputs {
        let server = sending([frame(FIN | TEXT, x(1000)), output].concat()).await;
        let socket = WebSocket::builder(&server.url()).limits(limits);
        let (trace, sent_code) = server.record_as(socket).await;
        trace.assert_failed(
            &[BEFORE[0], BEFORE[1], &delivered],
            "a message of more than 1000 bytes",
        );
        assert_eq!(sent_code, Some(MESSAGE_TOO_BIG));
    }
}

/// RFC6455-5.6-1, RFC6455-8.1-1.
#[tokio::test]
async fn text_that_is_not_utf8_fails() {
    let two =
        |begin: &[u8], end: &[u8]| [frame(TEXT, begin), frame(FIN | CONTINUATION, end)].concat();
    let outputs = [
        frame(FIN | TEXT, b"\xFF"),
        frame(FIN | TEXT, b"fine so far \xC3("),
        frame(FIN | TEXT, b"overlong \xC0\xAF"),
        frame(FIN | TEXT, b"a surrogate \xED\xA0\x80"),
        frame(FIN | TEXT, b"beyond Unicode \xF4\x90\x80\x80"),
        frame(FIN | TEXT, b"cut in the middle \xE2\x82"),
        two(b"continued wrongly \xE2\x82", b"\xE2\x82\xAC"),
        two(b"never continued \xE2\x82", b""),
        // An invalid message fails before it is complete.
        frame(TEXT, b"\xE2\x28"),
        [header(FIN | TEXT, 1000), b"\xFF".to_vec()].concat(),
        // Nothing after the invalid frame is read.
        [frame(FIN | TEXT, b"\xFF"), frame(FIN | TEXT, "after")].concat(),
    ];
    fail_with(INVALID_PAYLOAD, "text that is not valid UTF-8", outputs).await;
    let reason = frame(FIN | CLOSE, b"\x03\xE8\xC3\x28");
    fail_with(INVALID_PAYLOAD, "a close reason that is not valid UTF-8", [reason]).await;
}

/// RFC6455-5.1-4.
#[tokio::test]
async fn a_masked_frame_of_a_server_fails() {
    let masked = vec![FIN | TEXT, 0x80 | 2, 1, 2, 3, 4, b'h' ^ 1, b'i' ^ 2];
    fail_with(PROTOCOL_ERROR, "the server sent a masked frame", [masked]).await;
}

/// RFC6455-5.2-1, RFC6455-5.2-2.
#[tokio::test]
async fn reserved_opcodes_and_bits_fail() {
    for opcode in [0x3, 0x4, 0x5, 0x6, 0x7, 0xB, 0xC, 0xD, 0xE, 0xF] {
        let cause = format!("reserved opcode {opcode:#x}");
        fail_with(PROTOCOL_ERROR, &cause, [frame(FIN | opcode, "")]).await;
    }
    let reserved = [0x40, 0x20, 0x10].map(|bit| frame(FIN | bit | TEXT, ""));
    fail_with(PROTOCOL_ERROR, "a reserved bit", reserved).await;
}

/// RFC6455-5.5-1, RFC6455-5.5.1-1, RFC6455-7.4.1-1, RFC6455-7.4.1-2, RFC6455-7.4.1-3.
#[tokio::test]
async fn malformed_control_frames_fail() {
    let fragmented = [frame(PING, ""), [frame(CLOSE, ""), frame(FIN | CONTINUATION, "")].concat()];
    fail_with(PROTOCOL_ERROR, "fragmented a control frame", fragmented).await;
    let long = [PING, CLOSE].map(|opcode| frame(FIN | opcode, [0; 126]));
    fail_with(PROTOCOL_ERROR, "a control frame with more than 125 bytes", long).await;
    fail_with(PROTOCOL_ERROR, "a body of one byte", [frame(FIN | CLOSE, [3])]).await;
    for code in [0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, u16::MAX] {
        let cause = format!("the code {code}, which may not be sent");
        fail_with(PROTOCOL_ERROR, &cause, [close_frame(code, "")]).await;
    }
}

/// RFC6455-5.4-3, RFC6455-5.4-10.
#[tokio::test]
async fn fragments_out_of_order_fail() {
    let orphans = [frame(CONTINUATION, "x"), frame(FIN | CONTINUATION, "")];
    fail_with(PROTOCOL_ERROR, "continued a message that it had not begun", orphans).await;
    let interleaved =
        [TEXT, FIN | TEXT, FIN | BINARY].map(|next| [frame(TEXT, "x"), frame(next, "y")].concat());
    fail_with(PROTOCOL_ERROR, "began a message before it ended the last one", interleaved).await;
}

/// RFC6455-5.1-2.
#[tokio::test]
async fn an_unmasked_frame_of_a_client_fails() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        accept(stream, &AcceptOptions::default()).await.unwrap().recv().await
    });
    let mut client = Peer::connect(address).await;
    client.send(SAMPLE_REQUEST).await;
    assert!(client.read_head().await.contains(SAMPLE_ACCEPT));
    client.send(frame(FIN | TEXT, "bare")).await;
    let close = guarded("the Close", client.read_frame()).await.unwrap();
    assert_eq!((close.first_byte, close.masked), (FIN | CLOSE, false));
    assert_eq!(close.payload[..2], PROTOCOL_ERROR.to_be_bytes());
    assert_eq!(guarded("the end", client.read_frame()).await, None);
    drop(client);
    let error = guarded("the error", server).await.unwrap().unwrap_err();
    assert_eq!(error.failure(), ConnectionError::Violation(Violation::UnmaskedFrame));
    assert!(error.to_string().contains("the client sent an unmasked frame"), "{error}");
}
