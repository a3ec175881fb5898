//! The algorithms of the standard in each state, without a network.
#![allow(clippy::unwrap_used, reason = "a test may end by a panic")]

use std::sync::Arc;

use fullduplex::ReadyState::{Closed, Closing as InClosing, Connecting, Open};
use fullduplex::rules::machine::{AfterClose, Closing, Machine, Sending, Task};
use fullduplex::{BinaryType, CloseEvent, Data, Error, Event, Message, ReadyState};

const STATES: [ReadyState; 4] = [Connecting, Open, InClosing, Closed];

fn machine(state: ReadyState, after_close: AfterClose) -> Machine {
    let mut machine = Machine::new(Arc::from("ws://a"), after_close, 100);
    if state == Closed {
        run(&mut machine, Task::failed());
    } else if state > Connecting {
        run(&mut machine, opened("chat"));
    }
    if state == InClosing {
        machine.close(None, None).unwrap();
    }
    assert_eq!(machine.ready_state(), state);
    machine
}

fn run(machine: &mut Machine, task: Task) -> Vec<Event> {
    machine.run(task).collect()
}

fn opened(protocol: &str) -> Task {
    Task::Opened { protocol: protocol.into(), extensions: "x".into() }
}

fn received(text: &str) -> Task {
    Task::Received(Message::from(text))
}

#[test]
fn send_throws_counts_or_transmits() {
    for (state, answer, amount) in [
        (Connecting, Err(Error::Connecting), 0),
        (Open, Ok(Sending::Transmit), 10),
        (InClosing, Ok(Sending::Discard), 10),
        (Closed, Ok(Sending::Discard), 10),
    ] {
        let mut machine = machine(state, AfterClose::default());
        assert_eq!(machine.send(10, 0), answer, "{state:?}");
        assert_eq!(machine.buffered_amount(), amount);
    }
}

#[test]
fn sending_more_than_the_buffer_limit_is_refused() {
    let mut machine = machine(Open, AfterClose::default());
    assert_eq!(machine.send(100, 0), Ok(Sending::Transmit));
    assert_eq!(machine.send(1, 0), Ok(Sending::Full));
    assert_eq!(machine.buffered_amount(), 101, "a refused message is counted");
    assert_eq!(machine.send(1, 1), Ok(Sending::Full));
    assert_eq!(
        machine.send(1, 3),
        Ok(Sending::Transmit),
        "written bytes do not count for the limit"
    );
    run(&mut machine, Task::Transmitted(103));
    assert_eq!(machine.send(1, 0), Ok(Sending::Transmit));
}

#[test]
fn buffered_amount_falls_by_what_was_transmitted_and_is_never_reset() {
    let mut machine = machine(Open, AfterClose::default());
    machine.send(70, 0).unwrap();
    assert_eq!(run(&mut machine, Task::Transmitted(30)), []);
    assert_eq!(machine.buffered_amount(), 40);
    run(&mut machine, Task::failed());
    assert_eq!(machine.buffered_amount(), 40);
    machine.send(usize::MAX, 0).unwrap();
    machine.send(usize::MAX, 0).unwrap();
    // The count saturates where a `usize` has 64 bits.
    let twice = 40_u64.saturating_add(usize::MAX as u64).saturating_add(usize::MAX as u64);
    assert_eq!(machine.buffered_amount(), twice);
}

#[test]
fn close_checks_its_arguments_in_every_state() {
    for state in STATES {
        let mut machine = machine(state, AfterClose::default());
        for code in (0..=u16::MAX).filter(|&code| code != 1000 && !(3000..=4999).contains(&code)) {
            assert_eq!(machine.close(Some(code), None), Err(Error::Code(code)));
        }
        let too_long = "ä".repeat(61) + "xx";
        assert_eq!(machine.close(Some(1000), Some(&too_long)).unwrap_err().name(), "SyntaxError");
        assert_eq!(machine.ready_state(), state, "a refused close changes nothing");
        assert!(machine.close(Some(1000), Some(&too_long[..123])).is_ok());
    }
}

#[test]
fn close_stops_connecting_or_starts_the_handshake_or_does_nothing() {
    for state in STATES {
        let mut machine = machine(state, AfterClose::default());
        let closing = machine.close(Some(4000), Some("bye")).unwrap();
        match (state, closing) {
            (Connecting, Closing::GiveUp) => assert_eq!(machine.ready_state(), InClosing),
            (Open, Closing::Handshake(Some(frame))) => {
                assert_eq!((frame.code.get(), frame.reason.as_str()), (4000, "bye"));
                assert_eq!(machine.ready_state(), InClosing);
            }
            (InClosing | Closed, Closing::Nothing) => assert_eq!(machine.ready_state(), state),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_close_frame_carries_the_code_and_the_reason() {
    let frame = |code, reason| match machine(Open, AfterClose::default()).close(code, reason) {
        Ok(Closing::Handshake(frame)) => {
            frame.map(|frame| (frame.code.get(), frame.reason.as_str().to_owned()))
        }
        other => panic!("{other:?}"),
    };
    assert_eq!(frame(None, None), None);
    assert_eq!(frame(None, Some("")), None);
    assert_eq!(frame(Some(3000), None), Some((3000, String::new())));
    assert_eq!(frame(None, Some("why")), Some((1000, "why".into())), "a reason implies 1000");
}

#[test]
fn open_sets_protocol_and_extensions_unless_close_came_first() {
    let mut machine = machine(Connecting, AfterClose::default());
    assert_eq!((machine.protocol(), machine.extensions()), ("", ""));
    assert_eq!(run(&mut machine, opened("chat")), [Event::Open]);
    assert_eq!(machine.ready_state(), Open);
    assert_eq!((machine.protocol(), machine.extensions()), ("chat", "x"));

    let mut given_up = self::machine(Connecting, AfterClose::default());
    given_up.close(None, None).unwrap();
    assert_eq!(run(&mut given_up, opened("chat")), []);
    assert_eq!((given_up.ready_state(), given_up.protocol()), (InClosing, ""));
    assert_eq!(run(&mut given_up, received("x")), [], "no message without an open event");
}

#[test]
fn state_and_policy_decide_whether_a_message_is_delivered() {
    for after_close in [AfterClose::Deliver, AfterClose::Drop] {
        for state in STATES {
            let mut machine = machine(state, after_close);
            let delivered =
                state == Open || (state, after_close) == (InClosing, AfterClose::Deliver);
            let events = run(&mut machine, received("x"));
            assert_eq!(events.len(), usize::from(delivered), "{state:?} {after_close:?}");
        }
    }
}

#[test]
fn a_message_carries_the_current_binary_type_and_the_origin() {
    let mut machine = machine(Open, AfterClose::default());
    let mut data = |binary_type| {
        machine.set_binary_type(binary_type);
        match run(&mut machine, Task::Received(Message::from(vec![1]))).remove(0) {
            Event::Message(message) => {
                assert_eq!(&*message.origin, "ws://a");
                message.data
            }
            other => panic!("{other:?}"),
        }
    };
    assert!(matches!(data(BinaryType::ArrayBuffer), Data::ArrayBuffer(_)));
    assert!(matches!(data(BinaryType::Blob), Data::Blob(_)));
}

#[test]
fn a_close_of_the_peer_never_moves_the_state_back() {
    for (state, expected) in [(Open, InClosing), (InClosing, InClosing), (Closed, Closed)] {
        let mut machine = machine(state, AfterClose::default());
        assert_eq!(run(&mut machine, Task::ClosingStarted), []);
        assert_eq!(machine.ready_state(), expected);
    }
}

#[test]
fn the_last_task_fires_error_only_for_a_failure() {
    let event = CloseEvent { was_clean: true, code: 1011, reason: "oops".into() };
    for state in [Connecting, Open, InClosing] {
        let mut clean = machine(state, AfterClose::default());
        let task = Task::Closed { failed: false, event: event.clone() };
        assert_eq!(run(&mut clean, task), [Event::Close(event.clone())]);
        assert_eq!(clean.ready_state(), Closed);

        let mut failed = machine(state, AfterClose::default());
        let close = CloseEvent { was_clean: false, code: 1006, reason: String::new() };
        assert_eq!(run(&mut failed, Task::failed()), [Event::Error, Event::Close(close)]);
        assert_eq!(failed.ready_state(), Closed);
    }
}
