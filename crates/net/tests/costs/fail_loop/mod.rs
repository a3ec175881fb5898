//! Runs every scenario with its first I/O operation failing, then its second, and so on, for eight
//! kinds of fault (fault FT-07).
//!
//! After every fault, the server reports the end once, and returns the same result if it is asked again.
//! Nothing hangs (the clock is virtual), the delivered messages are a prefix of those sent, and no memory
//! leaks.

mod client;
mod scenarios;
mod server;

use std::time::Duration;

use allocation_counter::measure;
use fullduplex_lab::faulty::{FAULTS, Failing, Fault, Faulty, Kind, Operation};
use fullduplex_lab::figures::show;
use fullduplex_net::proto::Message;
use tokio::time::timeout;

use self::scenarios::{End, Scenario, scenarios};
use self::server::Report;

/// Longer than all deadlines of a connection together. The virtual clock jumps by this duration if nothing
/// makes progress.
const STALLED: Duration = Duration::from_secs(3600);

/// Smaller than a large message, so that each large message takes many operations.
const TRANSPORT: usize = 4 << 10;

/// The results of both ends.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Outcome {
    server: Report,
    transcript: client::Transcript,
}

impl Outcome {
    /// Checks the results of a run without faults.
    fn assert_complete(&self, scenario: &Scenario) {
        let status =
            |status| self.transcript.head.starts_with(format!("HTTP/1.1 {status} ").as_bytes());
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

    /// Checks the conditions that must hold no matter which operation fails.
    fn assert_consistent(&self, scenario: &Scenario, failing: Failing) {
        let Report::Ended { sent, received, closed } = &self.server else {
            return assert!(self.transcript.events.is_empty(), "{}: {failing:?}", scenario.name);
        };
        let written: Vec<&Message> = client::messages(&scenario.client).collect();
        let transcript: Vec<&Message> = self.transcript.messages().collect();
        let received: Vec<&Message> = received.iter().collect();
        let sent: Vec<&Message> = sent.iter().collect();
        let is_prefix = written.starts_with(&received) && sent.starts_with(&transcript);
        let all_arrived =
            written == received && sent == transcript && self.transcript.close().is_some();
        let is_consistent = is_prefix && (all_arrived || !closed.was_clean());
        assert!(is_consistent, "{}: {failing:?}: {self:?}", scenario.name);
    }
}

#[test]
fn every_fault_is_reported_once_and_leaks_nothing() {
    let mut total = 0;
    for scenario in scenarios() {
        // The first run makes allocations that the process keeps. It runs on another thread, because its
        // messages refer to the read buffers of that thread.
        let (expected, operations) = std::thread::scope(|scope| {
            scope.spawn(|| run(&scenario, Failing::Never)).join().expect("no fault is injected")
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
        show("FT-07", scenario.name, format!("{} operations, {faults} faults", operations.len()));
    }
    show("FT-07", "all scenarios", format!("{total} faults"));
}

/// Plays a scenario with a fault and checks the results. Returns whether the fault happened.
fn try_once(scenario: &Scenario, failing: Failing, expected: &Outcome) -> bool {
    let mut failed = false;
    // After this run, the thread keeps the same buffers as after the measured run.
    run(scenario, failing);
    let memory = measure(|| {
        let (outcome, operations) = run(scenario, failing);
        outcome.assert_consistent(scenario, failing);
        failed = operations.iter().any(|operation| operation.outcome.is_err());
        if is_recovered(&operations) {
            assert_eq!(&outcome, expected, "{}: {failing:?}", scenario.name);
        }
    });
    let left = (memory.count_current, memory.bytes_current);
    let is_clean = left == (0, 0);
    assert!(is_clean, "{}: {failing:?}: {left:?} allocations and bytes are left", scenario.name);
    failed
}

/// Returns whether a socket recovers from all faults that happened: pending operations, and
/// interrupted reads and writes after the response.
fn is_recovered(operations: &[Operation]) -> bool {
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

/// Plays a scenario. Returns its results and all operations of the server's stream.
fn run(scenario: &Scenario, failing: Failing) -> (Outcome, Vec<Operation>) {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_time().start_paused(true).build().unwrap();
    let (ours, theirs) = tokio::io::duplex(TRANSPORT);
    let (stream, operations) = Faulty::new(ours, failing);
    let both = async {
        let server = server::play(&scenario.server, stream);
        let client = client::play(&scenario.client, theirs);
        timeout(STALLED, async { tokio::join!(server, client) }).await
    };
    let played = runtime.block_on(both);
    let Ok((server, transcript)) = played else {
        panic!("{}: {failing:?}: no progress after {:?}", scenario.name, operations.borrow());
    };
    drop(runtime);
    (Outcome { server, transcript }, operations.take())
}
