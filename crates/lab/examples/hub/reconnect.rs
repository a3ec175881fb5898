//! All clients are cut off at once, and come back with their positions to another node.

use std::time::{Duration, Instant};

use fullduplex_lab::broker::BrokerKind;
use tokio::time::sleep;

use crate::Failure;
use crate::crowd::Crowd;
use crate::nodes::Nodes;

/// How long the broker is measured before the cut, and again from the cut on.
const WINDOW: Duration = Duration::from_secs(10);

/// Cuts off this many clients, with each broker.
pub(crate) async fn reconnect(clients: usize) -> Result<(), Failure> {
    println!("{clients} clients in rooms of 50 with a history, cut off at once; three nodes\n");
    println!(
        "| broker | back after, median | 99 % | all | reads of logs at the broker | CPU of the broker in 10 s, before | from the cut on | its memory before | at most | lost, repeated, out of order |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|");
    for kind in [BrokerKind::Nats, BrokerKind::Redis] {
        run(kind, clients).await.map_err(|error| format!("{kind:?}: {error}"))?;
    }
    Ok(())
}

async fn run(kind: BrokerKind, clients: usize) -> Result<(), Failure> {
    let nodes = Nodes::start(kind, 1000, [0; 3]).await?;
    let crowd = Crowd::start(&nodes, clients, 0).await?;
    sleep(Duration::from_secs(2)).await;
    let broker = nodes.broker.process();
    let start = broker.cpu_time()?;
    sleep(WINDOW).await;
    let (calm, fetches) = (broker.cpu_time()?, fetches(&nodes).await?);
    let memory = broker.memory()?;
    let begin = Instant::now();
    crowd.cut();
    sleep(WINDOW.saturating_sub(begin.elapsed())).await;
    let (calm, busy) = (calm - start, broker.cpu_time()? - calm);
    let peak = broker.peak_memory()?;
    let fetches = self::fetches(&nodes).await? - fetches;
    let outcome = crowd.finish().await?;
    let absences = &outcome.absences;
    let faults = outcome.with_history;
    if absences.len() != clients || !faults.is_clean() || faults.gaps > 0 || outcome.incomplete > 0
    {
        return Err(format!("{} of {clients} came back: {outcome:?}", absences.len()).into());
    }
    let back = |part: f64| absences[((clients - 1) as f64 * part) as usize].as_secs_f64();
    let [memory, peak] = [memory, peak].map(|bytes| bytes as f64 / f64::from(1 << 20));
    println!(
        "| {kind:?} | {:.2} s | {:.2} s | {:.2} s | {fetches} | {:.2} s | {:.2} s | {memory:.1} MiB | {peak:.1} MiB \
         | {}, {}, {} |",
        back(0.5),
        back(0.99),
        back(1.0),
        calm.as_secs_f64(),
        busy.as_secs_f64(),
        faults.lost,
        faults.repeated,
        faults.out_of_order
    );
    Ok(())
}

async fn fetches(nodes: &Nodes) -> Result<u64, Failure> {
    let mut sum = 0;
    for node in 0..3 {
        sum += nodes.about(node).await?.fetches;
    }
    Ok(sum)
}
