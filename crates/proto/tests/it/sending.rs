//! Messages are converted into bytes. A client masks them, and a server never does. Lengths are in the
//! shortest form. The bytes do not depend on the sizes of the writes.

use std::io::IoSlice;

use bytes::Bytes;
use fullduplex_proto::{CloseCode, CloseFrame, Connection, Message, Misuse, Received, Role};

use crate::support::pair::Pair;
use crate::support::*;

/// Creates a connection with large and small frames of every kind in its queue.
fn busy(role: Role) -> Connection {
    let mut connection = connection(role);
    let messages = [Message::from("Grüße"), vec![1; 126].into(), "".into()];
    messages.iter().for_each(|message| connection.send(message).expect("it is open"));
    connection.ping(b"ping").expect("it is open");
    events(&mut connection, &frame(PING, "answer this").to(role));
    // Messages that a server queues by reference, with a small message between them.
    for message in [Message::from(vec![2; 10_000]), "x".into(), vec![3; 70_000].into()] {
        connection.send(&message).expect("it is open");
    }
    connection.close(Some(&CloseFrame::code(CloseCode::NORMAL)));
    connection
}

/// The opcodes and payload lengths of the frames that [`busy`] queues.
const BUSY: [(u8, usize); 9] = [
    (TEXT, 7),
    (BINARY, 126),
    (TEXT, 0),
    (PING, 4),
    (PONG, 11),
    (BINARY, 10_000),
    (TEXT, 1),
    (BINARY, 70_000),
    (CLOSE, 2),
];

/// Takes all output in writes of `width` slices and at most `step` bytes. Returns the bytes, and the
/// payload bytes reported for each write.
fn drain_in_steps(connection: &mut Connection, width: usize, step: usize) -> (Vec<u8>, Vec<usize>) {
    let (mut wire, mut credits) = (Vec::new(), Vec::new());
    loop {
        let mut slices = [IoSlice::new(&[]); 8];
        let count = connection.poll_output(&mut slices[..width]);
        if count == 0 {
            assert!(connection.is_flushed());
            return (wire, credits);
        }
        let before = wire.len();
        for slice in &slices[..count] {
            let room = step - (wire.len() - before);
            wire.extend_from_slice(&slice[..slice.len().min(room)]);
        }
        credits.push(connection.handle_written(wire.len() - before));
    }
}

/// RFC6455-6.1-2, RFC6455-6.1-3, RFC6455-6.1-4, RFC6455-5.2-5: one frame for each message, with its
/// opcode and FIN, in order.
#[test]
fn frames_are_sent_in_order() {
    for role in ROLES {
        let frames = sent(&mut busy(role));
        let shape: Vec<_> = frames.iter().map(|f| (f.opcode, f.payload.len())).collect();
        assert_eq!(shape, BUSY);
        assert!(frames.iter().all(|frame| frame.fin && frame.reserved == 0));
        assert_eq!(frames[0].payload, "Grüße".as_bytes());
        assert!(frames[7].payload.iter().all(|&byte| byte == 3));
    }
}

/// RFC6455-5.1-1, RFC6455-5.3-1, RFC6455-5.3-2, RFC6455-5.5.1-4, RFC6455-6.1-5: control frames are masked
/// too, each with the next key.
#[test]
fn a_client_masks_every_frame_with_a_fresh_key() {
    let frames = sent(&mut busy(Role::Client));
    for (count, frame) in (1u32..).zip(&frames) {
        assert_eq!(frame.mask, Some(count.to_be_bytes()), "{frame:?}");
    }
    // A Close that answers the peer's Close, and a Close that reports a violation.
    for wire in [frame(CLOSE, ""), frame(0x3, "")] {
        let mut connection = connection(Role::Client);
        receive(&mut connection, &wire.bytes());
        assert_eq!(sent(&mut connection)[0].mask, Some([0, 0, 0, 1]));
    }
}

/// RFC6455-5.3-4
#[test]
fn the_bytes_of_a_client_are_masked() {
    let masks = Box::new(|| [0xFF, 0x0F, 0xF0, 0x55]);
    let mut connection = Connection::client(Default::default(), CLOSE_TIMEOUT, masks);
    connection.send(Message::from(vec![0x12; 6])).unwrap();
    let expected = [0x82, 0x86, 0xFF, 0x0F, 0xF0, 0x55, 0xED, 0x1D, 0xE2, 0x47, 0xED, 0x1D];
    assert_eq!(drain(&mut connection), expected);
}

/// RFC6455-5.1-3.
#[test]
fn a_server_never_masks() {
    assert!(sent(&mut busy(Role::Server)).iter().all(|frame| frame.mask.is_none()));
}

/// RFC6455-5.2-4: lengths around the boundaries of the three forms.
#[test]
fn messages_of_every_length_form_arrive() {
    for length in [0, 1, 125, 126, 127, 8191, 8192, 16_383, 16_385, 65_535, 65_536, 1 << 20] {
        let bytes: Vec<u8> = (0..length).map(|i| (i % 251) as u8).collect();
        let messages = [Message::from(bytes), Message::from("é".repeat(length / 2))];
        for role in ROLES {
            let mut pair = Pair::new();
            let sender = &mut pair.end(role).connection;
            messages.iter().for_each(|message| sender.send(message).unwrap());
            pair.shuttle();
            let receiver = if role == Role::Client { pair.server } else { pair.client };
            assert_eq!(receiver.events, messages.clone().map(Received::Message), "{length} bytes");
        }
    }
}

/// WHATWG "bufferedAmount": headers and control frames do not count. A payload byte is no longer counted as
/// soon as it is written, even if the rest of its message is not written.
#[test]
fn buffered_amount_counts_each_payload_byte_until_it_is_written() {
    for role in ROLES {
        let expected: Vec<usize> = BUSY
            .iter()
            .flat_map(|&(opcode, length)| {
                let mask = (role == Role::Client).then_some([0; 4]);
                let header = header(0, mask, length as u64).len();
                let counts = usize::from(opcode < CLOSE);
                std::iter::repeat_n(0, header).chain(std::iter::repeat_n(counts, length))
            })
            .collect();
        let (_, credits) = drain_in_steps(&mut busy(role), 1, 1);
        assert!(credits == expected, "{role:?}");
    }
}

/// RFC6455-6.1-6, fault FT-05: this applies to every size of the writes and every number of slices.
#[test]
fn partial_writes_do_not_change_the_bytes() {
    for role in ROLES {
        let whole = drain(&mut busy(role));
        let steps = (2..64).step_by(7).chain([1, 100, 126, 4095, 4096, 8191, 9999, 10_000]);
        for step in steps.chain([65_536, 80_000, whole.len() - 1, whole.len()]) {
            for width in [1, 2, 3, 8] {
                let (wire, credits) = drain_in_steps(&mut busy(role), width, step);
                assert!(wire == whole, "{role:?}: steps of {step}, {width} slices");
                assert_eq!(credits.iter().sum::<usize>(), 7 + 126 + 10_000 + 1 + 70_000);
            }
        }
    }
}

/// Fault FT-05: a message that is queued while a frame is partly written follows that frame.
#[test]
fn messages_queued_between_partial_writes_stay_in_order() {
    let sizes = [3, 8191, 0, 8192, 20_000, 126, 8192, 1];
    for role in ROLES {
        for step in [1, 2, 5, 50, 1000, 8193, 12_345] {
            let (mut connection, mut wire) = (connection(role), Vec::new());
            for (index, &size) in sizes.iter().cycle().take(40).enumerate() {
                connection.send(Message::from(vec![index as u8; size])).unwrap();
                let mut slices = [IoSlice::new(&[]); 1];
                assert_eq!(connection.poll_output(&mut slices), 1);
                let taken = slices[0].len().min(step);
                wire.extend_from_slice(&slices[0][..taken]);
                connection.handle_written(taken);
            }
            wire.extend(drain(&mut connection));
            let frames = parse_frames(&wire);
            assert_eq!(frames.len(), 40);
            for (index, frame) in frames.iter().enumerate() {
                assert!(frame.payload == vec![index as u8; sizes[index % 8]], "{role:?}, {index}");
            }
        }
    }
}

/// Under continuous load, the queue is never empty. It must still free the bytes that were written. The test
/// compares addresses. If the queue kept written bytes, each output would begin at the end of the previous
/// output.
#[test]
fn a_queue_that_is_never_empty_does_not_grow() {
    for role in ROLES {
        let mut connection = connection(role);
        let message = Message::from(vec![1; 100]);
        connection.send(&message).unwrap();
        let (mut expected, mut run, mut longest) = (std::ptr::null::<u8>(), 0, 0);
        for _ in 0..100_000 {
            connection.send(&message).unwrap();
            let half = usize::try_from(connection.queued_bytes() / 2).unwrap();
            let mut slices = [IoSlice::new(&[]); 1];
            assert_eq!(connection.poll_output(&mut slices), 1);
            let start = slices[0].as_ptr();
            // If the output continues where the last write ended, the written bytes are still held.
            run = if start == expected { run + half } else { 0 };
            longest = longest.max(run);
            expected = start.wrapping_add(half);
            connection.handle_written(half);
            assert!(connection.queued_bytes() <= 216);
        }
        assert!(longest <= 256 << 10, "{role:?}: {longest} written bytes are kept");
    }
}

/// The slices hold exactly the queued bytes, if there are enough slices.
#[test]
fn queued_bytes_equals_the_length_of_the_slices() {
    for role in ROLES {
        let mut connection = busy(role);
        while !connection.is_flushed() {
            let mut slices = [IoSlice::new(&[]); 8];
            let count = connection.poll_output(&mut slices);
            let shown: usize = slices[..count].iter().map(|slice| slice.len()).sum();
            assert!(slices[..count].iter().all(|slice| !slice.is_empty()));
            assert_eq!(connection.queued_bytes(), shown as u64);
            connection.handle_written(shown.min(997));
        }
        assert_eq!(connection.queued_bytes(), 0);
        assert_eq!(connection.handle_written(0), 0);
    }
}

/// A server writes a large payload without a copy, so the connections of a broadcast share it.
#[test]
fn large_payloads_of_a_server_are_not_copied() {
    let payload = Bytes::from(vec![9; 100_000]);
    for _ in 0..2 {
        let mut connection = connection(Role::Server);
        connection.send(Message::from("small, before it")).unwrap();
        connection.send(Message::from(payload.clone())).unwrap();
        connection.send(Message::from("small, after it")).unwrap();
        let mut slices = [IoSlice::new(&[]); 4];
        let count = connection.poll_output(&mut slices);
        assert_eq!(count, 3);
        assert_eq!((slices[1].as_ptr(), slices[1].len()), (payload.as_ptr(), payload.len()));
    }
}

/// RFC6455-5.5-1, RFC6455-5.5.2-2.
#[test]
fn a_ping_of_more_than_125_bytes_is_misuse() {
    for role in ROLES {
        let mut connection = connection(role);
        for size in [126, 127, 65_536] {
            assert_eq!(connection.ping(&vec![0; size]), Err(Misuse::PingTooLong(size)));
        }
        assert!(connection.is_flushed());
        for size in [0, 1, 125] {
            connection.ping(&vec![b'p'; size]).unwrap();
            let frames = sent(&mut connection);
            assert_eq!((frames[0].opcode, frames[0].payload.len()), (PING, size));
        }
    }
}

/// Everything queued is dropped, even a frame that is partly written, and nothing more is queued.
#[test]
fn a_failed_write_empties_the_queue() {
    for role in ROLES {
        for written in [0, 1, 5, 200, 10_000] {
            let mut connection = busy(role);
            connection.handle_written(written);
            connection.handle_write_failed();
            assert!(connection.is_flushed());
            assert_eq!(connection.poll_output(&mut [IoSlice::new(&[])]), 0);
            assert_eq!(connection.send(Message::from("x")), Err(Misuse::Closing));
            assert_eq!(connection.ping(b""), Err(Misuse::Closing));
            connection.close(None);
            assert_eq!((connection.queued_bytes(), connection.is_flushed()), (0, true));
        }
    }
}
