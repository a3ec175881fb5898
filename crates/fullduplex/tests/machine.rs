//! The standard's algorithms, state by state, without a network: what every host relies on.
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
fn the_buffer_is_full_above_its_limit() {
    let mut machine = machine(Open, AfterClose::default());
    assert_eq!(machine.send(100, 0), Ok(Sending::Transmit));
    assert_eq!(machine.send(1, 0), Ok(Sending::Full));
    assert_eq!(machine.buffered_amount(), 101, "counted all the same");
    assert_eq!(machine.send(1, 1), Ok(Sending::Full));
    assert_eq!(machine.send(1, 3), Ok(Sending::Transmit), "some have left");
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
    assert_eq!(machine.buffered_amount(), u64::MAX, "a count has an end, and no overflow");
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
fn close_gives_up_shakes_hands_or_does_nothing() {
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
fn a_close_frame_has_what_was_given() {
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
fn open_sets_what_was_agreed_unless_close_came_first() {
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
fn messages_are_delivered_by_state_and_policy() {
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
fn a_message_has_the_binary_type_of_its_moment_and_the_origin() {
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
fn the_peers_close_only_moves_forward() {
    for (state, expected) in [(Open, InClosing), (InClosing, InClosing), (Closed, Closed)] {
        let mut machine = machine(state, AfterClose::default());
        assert_eq!(run(&mut machine, Task::ClosingStarted), []);
        assert_eq!(machine.ready_state(), expected);
    }
}

#[test]
fn the_end_is_one_task_with_an_error_only_for_failures() {
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
