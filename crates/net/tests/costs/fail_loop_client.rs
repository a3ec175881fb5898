//! The client's version of `fail_loop`: each I/O operation of a handshake and a conversation fails
//! in turn (fault FT-07).

use std::time::Duration;

use allocation_counter::measure;
use bytes::BytesMut;
use fullduplex_lab::faulty::{FAULTS, Failing, Fault, Faulty, Operation};
use fullduplex_lab::figures::show;
use fullduplex_lab::script::{
    BINARY, CONTINUATION, FIN, OPENING, PING, TEXT, answer_to, close_frame, frame,
};
use fullduplex_net::proto::{Closed, Decoder, Limits, Message, Received, Role, Url};
use fullduplex_net::{ConnectOptions, connect_over};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, ReadHalf, copy, duplex, sink};
use tokio::time::timeout;

/// Longer than all deadlines of a connection together. The clock is virtual.
const STALLED: Duration = Duration::from_secs(3600);

/// Smaller than a message, so that each message takes many operations.
const TRANSPORT: usize = 512;

/// The results of the client's calls.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Report {
    NotOpened(String),
    Ended { received: Vec<Message>, closed: Closed },
}

fn messages() -> Vec<Message> {
    vec!["one".into(), Message::Binary(vec![7; 2000].into()), "three".into()]
}

/// Sends the whole conversation, even if the client does not read it.
async fn serve(mut stream: DuplexStream) {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        let Ok(byte) = stream.read_u8().await else { return };
        request.push(byte);
    }
    let answer = answer_to(std::str::from_utf8(&request).unwrap(), &OPENING);
    let sent = [
        answer,
        frame(FIN | TEXT, "one"),
        frame(FIN | PING, "there?"),
        frame(FIN | BINARY, [7; 2000]),
        frame(TEXT, "th"),
        frame(FIN | CONTINUATION, "ree"),
        close_frame(1000, "bye"),
    ];
    let (mut reader, mut writer) = tokio::io::split(stream);
    let sending = async { writer.write_all(&sent.concat()).await.ok() };
    tokio::join!(sending, read_close(&mut reader));
    // The server shuts down first.
    writer.shutdown().await.ok();
    copy(&mut reader, &mut sink()).await.ok();
}

/// Reads up to the client's Close, or to the end of the stream.
async fn read_close(reader: &mut ReadHalf<DuplexStream>) {
    let mut receiver = Decoder::new(Role::Server, Limits::default());
    let mut input = BytesMut::new();
    while matches!(reader.read_buf(&mut input).await, Ok(1..)) {
        while let Some(event) = receiver.handle(&mut input).expect("a client sends valid frames") {
            if matches!(event, Received::Close(_)) {
                return;
            }
        }
    }
}

/// Answers each message until the connection ends. Reads the end twice. Both reads must return the same
/// result.
async fn talk(stream: Faulty<DuplexStream>) -> Report {
    let url = Url::parse("ws://server.example/").unwrap();
    let (mut socket, _) = match connect_over(stream, &url, &ConnectOptions::default()).await {
        Ok(connected) => connected,
        Err(error) => return Report::NotOpened(error.to_string()),
    };
    let mut received = Vec::new();
    let end = loop {
        match socket.recv().await {
            Ok(Some(message)) => {
                received.push(message);
                socket.send("got it").await.ok();
            }
            Ok(None) => break None,
            Err(error) => break Some(error.to_string()),
        }
    };
    let again = socket.recv().await.map_err(|error| error.to_string());
    assert_eq!(again.err(), end, "recv returns the same end again");
    Report::Ended { received, closed: socket.close_result().expect("the connection has ended") }
}

fn run(failing: Failing) -> (Report, Vec<Operation>) {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_time().start_paused(true).build().unwrap();
    let (ours, theirs) = duplex(TRANSPORT);
    let (stream, operations) = Faulty::new(ours, failing);
    let both =
        async { timeout(STALLED, async { tokio::join!(talk(stream), serve(theirs)) }).await };
    let Ok((report, ())) = runtime.block_on(both) else {
        panic!("{failing:?}: no progress after {:?}", operations.borrow());
    };
    drop(runtime);
    (report, operations.take())
}

fn assert_consistent(report: &Report, failing: Failing) {
    if let Report::Ended { received, closed } = report {
        assert!(messages().starts_with(received), "{failing:?}: {report:?}");
        let is_whole = *received == messages();
        assert!(is_whole || !closed.was_clean(), "{failing:?}: {report:?}");
    }
}

#[test]
fn every_fault_is_reported_once_and_leaks_nothing() {
    // The first run makes allocations that the process keeps.
    let (expected, operations) = run(Failing::Never);
    let Report::Ended { received, closed } = &expected else { panic!("{expected:?}") };
    assert_eq!((received, closed.was_clean(), closed.code()), (&messages(), true, 1000));
    let mut faults = 0;
    for fault in FAULTS {
        for at in 0..operations.len() {
            for failing in [Failing::Once(at, fault), Failing::From(at, fault)] {
                // An operation that may be retried forever would be an endless loop, not a fault.
                if fault.is_passing() && matches!(failing, Failing::From(..)) {
                    continue;
                }
                let memory = measure(|| {
                    let (report, operations) = run(failing);
                    assert_consistent(&report, failing);
                    faults += usize::from(operations.iter().any(|o| o.outcome.is_err()));
                    if fault == Fault::Pending {
                        assert_eq!(report, expected, "{failing:?}");
                    }
                    // A run without faults restores the buffers of the thread.
                    run(Failing::Never);
                });
                let left = (memory.count_current, memory.bytes_current);
                assert_eq!(left, (0, 0), "{failing:?}: allocations and bytes are left");
            }
        }
    }
    show("FT-07", "a client", format!("{} operations, {faults} faults", operations.len()));
    assert!(faults >= 14 * operations.len(), "not every fault happened: {operations:?}");
}
