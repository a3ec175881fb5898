//! Every scenario with its first operation of I/O failing, then its second, and so on until none is
//! left to fail, for eight kinds of fault (fault FT-07).
//!
//! Whatever fails: the server's end is told once and stays told, nothing hangs (the clock is virtual),
//! what is delivered is the beginning of what was sent, and no memory is left.

mod client;
mod scenarios;
mod server;

use std::time::Duration;

use allocation_counter::measure;
use fullduplex_lab::faulty::{FAULTS, Failing, Fault, Faulty, Kind, Operation};
use fullduplex_net::proto::Message;
use tokio::time::timeout;

use self::scenarios::{End, Scenario, scenarios};
use self::server::Report;

/// Longer than all deadlines of a connection together. The clock is virtual: it jumps there when
/// nothing can happen any more.
const FOR_EVER: Duration = Duration::from_secs(3600);

/// Less than the transport holds, so that large messages take many operations.
const TRANSPORT: usize = 4 << 10;

/// What came of a scenario.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Outcome {
    server: Report,
    heard: client::Heard,
}

impl Outcome {
    /// What is true without a fault.
    fn assert_complete(&self, scenario: &Scenario) {
        let status = |status| self.heard.head.starts_with(format!("HTTP/1.1 {status} ").as_bytes());
        let is_expected = match (&self.server, scenario.end) {
            (Report::NotOpened(_), End::Rejected(expected)) => expected == 0 || status(expected),
            (Report::Ended { closed, .. }, End::Clean(code)) => {
                status(101) && closed.was_clean() && closed.code() == code
            }
            (Report::Ended { closed, .. }, End::Unclean) => status(101) && !closed.was_clean(),
            _ => false,
        };
        assert!(is_expected, "{}: {self:?}", scenario.name);
        self.assert_consistent(scenario, Failing::Never);
    }

    /// What is true whatever fails.
    fn assert_consistent(&self, scenario: &Scenario, failing: Failing) {
        let Report::Ended { sent, received, closed } = &self.server else {
            return assert!(self.heard.events.is_empty(), "{}: {failing:?}", scenario.name);
        };
        let said: Vec<&Message> = client::messages(&scenario.client).collect();
        let heard: Vec<&Message> = self.heard.messages().collect();
        let received: Vec<&Message> = received.iter().collect();
        let sent: Vec<&Message> = sent.iter().collect();
        let nothing_is_invented = said.starts_with(&received) && sent.starts_with(&heard);
        let all_arrived = said == received && sent == heard && self.heard.close().is_some();
        let is_consistent = nothing_is_invented && (all_arrived || !closed.was_clean());
        assert!(is_consistent, "{}: {failing:?}: {self:?}", scenario.name);
    }
}

#[test]
fn whatever_fails_is_told_once_and_leaves_nothing() {
    let mut total = 0;
    for scenario in scenarios() {
        // The first run loads what stays loaded. Its messages are kept, and so are the buffers in which they
        // arrived: those of another thread.
        let (expected, operations) = std::thread::scope(|scope| {
            scope.spawn(|| run(&scenario, Failing::Never)).join().expect("nothing fails")
        });
        expected.assert_complete(&scenario);
        let mut faults = 0;
        for fault in FAULTS {
            for at in 0..=operations.len() {
                faults += usize::from(try_once(&scenario, Failing::Once(at, fault), &expected));
                if !fault.is_passing() {
                    faults += usize::from(try_once(&scenario, Failing::From(at, fault), &expected));
                }
            }
        }
        total += faults;
        show(scenario.name, format!("{} operations, {faults} faults", operations.len()));
    }
    show("all scenarios", format!("{total} faults"));
}

/// Plays a scenario with a fault, checks all that must hold, and returns whether the fault happened.
fn try_once(scenario: &Scenario, failing: Failing, expected: &Outcome) -> bool {
    let mut failed = false;
    // What the thread keeps for its next connections is now what the same run leaves again.
    run(scenario, failing);
    let memory = measure(|| {
        let (outcome, operations) = run(scenario, failing);
        outcome.assert_consistent(scenario, failing);
        failed = operations.iter().any(|operation| operation.outcome.is_err());
        if is_mended(&operations) {
            assert_eq!(&outcome, expected, "{}: {failing:?}", scenario.name);
        }
    });
    let left = (memory.count_current, memory.bytes_current);
    let is_clean = left == (0, 0);
    assert!(is_clean, "{}: {failing:?}: {left:?} allocations and bytes are left", scenario.name);
    failed
}

/// Whether nothing happened but what a socket takes in its stride: it repeats a read and a write that
/// was interrupted, once the response has gone out.
fn is_mended(operations: &[Operation]) -> bool {
    let opened = operations.iter().position(|operation| operation.kind == Kind::Flush);
    operations.iter().enumerate().all(|(number, operation)| match operation.outcome {
        Ok(_) | Err(Fault::Pending) => true,
        Err(Fault::Interrupted) => {
            matches!(operation.kind, Kind::Read | Kind::Write)
                && opened.is_some_and(|at| at < number)
        }
        Err(Fault::Zero | Fault::Fails(_)) => false,
    })
}

/// Plays a scenario, and returns what came of it with all operations of the server's end.
fn run(scenario: &Scenario, failing: Failing) -> (Outcome, Vec<Operation>) {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_time().start_paused(true).build().unwrap();
    let (ours, theirs) = tokio::io::duplex(TRANSPORT);
    let (stream, operations) = Faulty::new(ours, failing);
    let both = async {
        let server = server::play(&scenario.server, stream);
        let client = client::play(&scenario.client, theirs);
        timeout(FOR_EVER, async { tokio::join!(server, client) }).await
    };
    let played = runtime.block_on(both);
    let Ok((server, heard)) = played else {
        panic!("{}: {failing:?}: it hangs behind {:?}", scenario.name, operations.borrow());
    };
    drop(runtime);
    (Outcome { server, heard }, operations.take())
}

#[expect(clippy::print_stdout, reason = "the figures are half of what this test is for")]
fn show(scenario: &str, figure: String) {
    println!("FT-07  {scenario:<50}  {figure}");
}
