//! A chat room. Every member must receive every message once, and those of one author in order.

mod ledger;
mod member;

use std::sync::Arc;
use std::time::Duration;

use fullduplex_lab::process::Program;
use fullduplex_net::proto::Url;
use tokio::task::JoinSet;
use tokio::time::Instant;

use self::ledger::Authors;
use self::member::Member;
use crate::serve::ROOM;
use crate::{Failure, mebibytes, run, start_server};

/// The number of messages sent per second.
const RATE: f64 = 20.0;

/// One in `AUTHORS` members is an author. One in `RESTARTS` members, which is every second author, leaves
/// once and joins again.
const AUTHORS: usize = 5;
const RESTARTS: usize = 10;

/// The number of members that join at the same time.
const ENTERING: usize = 50;

/// What the members do, and when.
#[derive(Debug)]
struct Plan {
    url: Url,
    members: usize,
    duration: Duration,
    authors: Authors,
}

impl Plan {
    /// Returns when an author sends its first message, and the pause between its messages.
    fn speech(&self, member: usize) -> Option<(Duration, Duration)> {
        let authors = self.members.div_ceil(AUTHORS) as f64;
        let turn = (member / AUTHORS) as f64;
        let is_author = member.is_multiple_of(AUTHORS);
        is_author.then(|| [turn / RATE, authors / RATE].map(Duration::from_secs_f64).into())
    }

    /// Returns when a member restarts. Restarts are spread over the whole time.
    fn restart(&self, member: usize) -> Option<Duration> {
        let share = (member + RESTARTS) as f64 / (self.members + 2 * RESTARTS) as f64;
        member.is_multiple_of(RESTARTS).then(|| self.duration.mul_f64(share))
    }

    fn restarts(&self) -> usize {
        self.members.div_ceil(RESTARTS)
    }
}

/// Runs a chat of `members` clients for `duration`.
pub(crate) fn chat(duration: Duration, members: usize) -> Result<(), Failure> {
    let server = start_server()?;
    run(talk(&server, duration, members))?
}

async fn talk(server: &Program, duration: Duration, members: usize) -> Result<(), Failure> {
    let url = Url::parse(&format!("ws://{}{ROOM}", server.address))?;
    let plan = Arc::new(Plan { url, members, duration, authors: Authors::new(members) });
    let room = enter(&plan).await?;
    let process = &server.process;
    println!("{members} clients: the server has {:.2} MiB", mebibytes(process.memory()?));

    let (begin, busy) = (Instant::now(), process.cpu_time()?);
    let room = all(room.into_iter().map(|member| member.stay(begin))).await?;
    let seconds = begin.elapsed().as_secs_f64();
    let busy = (process.cpu_time()? - busy).as_secs_f64() / seconds;
    println!(
        "{seconds:.0} s later: {:.2} MiB, at most {:.2} MiB; busy with {busy:.2} processors",
        mebibytes(process.memory()?),
        mebibytes(process.peak_memory()?)
    );
    // No message has been sent since the last member was ready.
    let received: u64 = all(room.into_iter().map(Member::leave)).await?.into_iter().sum();
    println!(
        "{received} deliveries, {:.0} a second; {} restarts; 0 lost, repeated or out of order",
        received as f64 / seconds,
        plan.restarts()
    );
    Ok(())
}

async fn enter(plan: &Arc<Plan>) -> Result<Vec<Member>, Failure> {
    let mut room = Vec::new();
    let numbers: Vec<usize> = (0..plan.members).collect();
    for some in numbers.chunks(ENTERING) {
        room.extend(all(some.iter().map(|&number| Member::enter(Arc::clone(plan), number))).await?);
    }
    Ok(room)
}

/// Runs all tasks concurrently and returns the first failure.
async fn all<T: Send + 'static>(
    tasks: impl Iterator<Item = impl Future<Output = Result<T, Failure>> + Send + 'static>,
) -> Result<Vec<T>, Failure> {
    let mut running: JoinSet<_> = tasks.collect();
    let mut outputs = Vec::new();
    while let Some(output) = running.join_next().await {
        outputs.push(output??);
    }
    Ok(outputs)
}
