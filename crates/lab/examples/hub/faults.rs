//! What clients receive while brokers and nodes fail.

use std::time::{Duration, Instant};

use fullduplex_lab::broker::BrokerKind;
use tokio::time::sleep;

use crate::Failure;
use crate::crowd::{Crowd, Outcome};
use crate::node::PRESENCE_TTL;
use crate::nodes::{Nodes, PATIENCE};

/// What happens while messages are published.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    Nothing,
    /// The clock of one node is an hour ahead, and that of another an hour behind. The broker restarts.
    Clocks,
    /// The broker is killed, and started again a second later.
    Restart,
    /// The broker is stopped by SIGSTOP for 20 seconds.
    Stop,
    /// A node is killed.
    Kill,
    /// A node cannot reach the broker for 10 seconds.
    Cut,
    /// A node cannot reach the broker for so long that the history no longer contains what it missed.
    Trim,
}

const FAULTS: [(Fault, &str); 7] = [
    (Fault::Nothing, "steady state"),
    (Fault::Clocks, "clocks ±1 h, broker restarted"),
    (Fault::Restart, "broker restarted"),
    (Fault::Stop, "broker stopped for 20 s"),
    (Fault::Kill, "node killed"),
    (Fault::Cut, "node cut off for 10 s"),
    (Fault::Trim, "node cut off, history trimmed"),
];

/// How long messages are published before and after a fault.
const CALM: Duration = Duration::from_secs(4);

/// Runs each fault on each broker, and prints a table.
pub(crate) async fn faults(clients: usize) -> Result<(), Failure> {
    try_all(clients, &FAULTS, CALM).await
}

/// Runs the steady state and a restart on each broker in half a minute, and prints the same table.
pub(crate) async fn quick(clients: usize) -> Result<(), Failure> {
    let is_quick = |fault| matches!(fault, Fault::Nothing | Fault::Restart);
    let faults: Vec<_> = FAULTS.into_iter().filter(|&(fault, _)| is_quick(fault)).collect();
    try_all(clients, &faults, CALM / 4).await
}

async fn try_all(clients: usize, faults: &[(Fault, &str)], calm: Duration) -> Result<(), Failure> {
    println!("{clients} clients in rooms of 50, half of the rooms with a history; three nodes\n");
    println!(
        "| broker | fault | published | received | lost | repeated | out of order | missed with a gap, history | without | gaps |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|");
    let mut notes = Vec::new();
    for kind in [BrokerKind::Nats, BrokerKind::Redis] {
        for &(fault, name) in faults {
            let outcome = run(kind, fault, clients, calm, &mut notes).await;
            let outcome = outcome.map_err(|error| format!("{kind:?}, {name}: {error}"))?;
            print(kind, name, &outcome);
            check(fault, &outcome).map_err(|error| format!("{kind:?}, {name}: {error}"))?;
        }
    }
    println!();
    notes.iter().for_each(|note| println!("{note}"));
    Ok(())
}

fn print(kind: BrokerKind, name: &str, outcome: &Outcome) {
    let mut all = outcome.with_history;
    all.add(outcome.without);
    println!(
        "| {kind:?} | {name} | {} | {} | {} | {} | {} | {} | {} | {} |",
        outcome.published,
        all.received,
        all.lost,
        all.repeated,
        all.out_of_order,
        outcome.with_history.missed,
        outcome.without.missed,
        all.gaps
    );
}

/// Fails if a promise was broken, or if the fault had no effect.
fn check(fault: Fault, outcome: &Outcome) -> Result<(), Failure> {
    let with = &outcome.with_history;
    if !with.is_clean() || !outcome.without.is_clean() || outcome.incomplete > 0 {
        return Err(format!("a promise was broken: {outcome:?}").into());
    }
    let has_gaps = outcome.without.gaps > 0;
    if has_gaps != (fault != Fault::Nothing) || (with.gaps > 0) != (fault == Fault::Trim) {
        return Err(format!("not the expected gaps: {outcome:?}").into());
    }
    Ok(())
}

async fn run(
    kind: BrokerKind,
    fault: Fault,
    clients: usize,
    calm: Duration,
    notes: &mut Vec<String>,
) -> Result<Outcome, Failure> {
    let clocks = if fault == Fault::Clocks { [0, 3600, -3600] } else { [0; 3] };
    let history = if fault == Fault::Trim { 20 } else { 1000 };
    let mut nodes = Nodes::start(kind, history, clocks).await?;
    let crowd = Crowd::start(&nodes, clients, 2).await?;
    sleep(calm).await;
    match fault {
        Fault::Nothing => {}
        Fault::Restart | Fault::Clocks => {
            nodes.broker.kill();
            sleep(Duration::from_secs(1)).await;
            nodes.broker.start_again();
        }
        Fault::Stop => {
            nodes.broker.stop();
            sleep(Duration::from_secs(20)).await;
            nodes.broker.go_on();
        }
        Fault::Kill => notes.push(kill(&mut nodes).await?),
        Fault::Cut => cut(&nodes, Duration::from_secs(10)).await,
        Fault::Trim => cut(&nodes, Duration::from_secs(15)).await,
    }
    // Each node answers again, so it has reconnected.
    for node in 0..3 {
        if nodes.programs[node].is_some() {
            nodes.about(node).await?;
        }
    }
    sleep(calm).await;
    crowd.finish().await
}

async fn cut(nodes: &Nodes, time: Duration) {
    nodes.cable.cut();
    sleep(time).await;
    nodes.cable.mend();
}

/// Kills the first node. Returns a note about what the others noticed.
async fn kill(nodes: &mut Nodes) -> Result<String, Failure> {
    let before = [nodes.about(1).await?, nodes.about(2).await?];
    if before[0].members != 3 {
        return Err(format!("not three members: {before:?}").into());
    }
    nodes.programs[0] = None; // SIGKILL
    let begin = Instant::now();
    while nodes.about(1).await?.members != 2 {
        if begin.elapsed() > PATIENCE {
            return Err("the dead node does not expire".into());
        }
        sleep(Duration::from_millis(50)).await;
    }
    let expired = begin.elapsed().as_secs_f64();
    let after = [nodes.about(1).await?, nodes.about(2).await?];
    let notices = |about: &crate::nodes::About| about.reconnects + about.gaps;
    let noticed: u64 =
        after.iter().map(notices).sum::<u64>() - before.iter().map(notices).sum::<u64>();
    if noticed > 0 || expired > PRESENCE_TTL.as_secs_f64() + 1.0 {
        return Err(format!("expired after {expired:.1} s; the others noticed {noticed}").into());
    }
    Ok(format!(
        "{:?}: the killed node was listed for {expired:.1} s more (time to live {} s); reconnects and gaps of the \
         other nodes meanwhile: {noticed}",
        nodes.kind,
        PRESENCE_TTL.as_secs()
    ))
}
