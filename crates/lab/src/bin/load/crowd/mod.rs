//! Hostile peers beside good ones: those must not have to wait, and the server's memory stays bounded.

mod good;
mod hostile;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use fullduplex_lab::process::{Process, Program};
use tokio::runtime::{Builder, Runtime};
use tokio::time::sleep;

use self::good::Times;
use self::hostile::Attack;
use crate::{Failure, mebibytes, run, start_server};

/// How many peers are hostile.
const HOSTILE: usize = 1000;

/// They come one after the other, and again some time after the server has ended what they did.
const ARRIVAL: Duration = Duration::from_millis(1);
const RETURN: Duration = Duration::from_secs(1);

/// How much longer than without the crowd the 99th percentile of answers may take.
const SLOWER: u32 = 2;

/// How often that is looked at: a machine that does other things as well has its bad moments.
const ROUNDS: u32 = 3;

/// How much memory the server may ever have.
const MEMORY: u64 = 512 << 20;

/// How often each attack began.
type Begun = [AtomicUsize; Attack::ALL.len()];

/// Two servers at a time: what else the machine does slows down both.
#[derive(Debug)]
struct Servers {
    /// The one to which the crowd comes.
    attacked: Program,
    spared: Program,
}

/// How long good clients of both waited.
#[derive(Debug)]
struct Answers {
    attacked: Times,
    spared: Times,
}

/// Measures good clients without a crowd, and then with one, for so long each.
pub(crate) fn crowd(duration: Duration) -> Result<(), Failure> {
    let servers = Servers { attacked: start_server()?, spared: start_server()? };
    println!("without a crowd:");
    let without = servers.measure(duration)?;
    let begun = Arc::new(Begun::default());
    let crowd = gather(servers.attacked.address, &begun)?;
    thread::sleep(ARRIVAL * HOSTILE as u32 + RETURN);
    servers.compare(&without, duration)?;
    crowd.shutdown_background();
    for (attack, begun) in Attack::ALL.iter().zip(&*begun) {
        println!("{attack:?}: begun {} times", begun.load(Ordering::Relaxed));
    }
    match servers.attacked.process.peak_memory()? {
        peak @ 0..=MEMORY => {
            println!("the attacked server never had more than {:.1} MiB", mebibytes(peak));
            Ok(())
        }
        peak => Err(format!("the attacked server has had {:.1} MiB", mebibytes(peak)).into()),
    }
}

impl Servers {
    /// Measures with a crowd. What slows the attacked server down alone, and each time, is the crowd.
    fn compare(&self, without: &Answers, duration: Duration) -> Result<(), Failure> {
        for round in 1..=ROUNDS {
            println!("with a crowd, round {round}:");
            let with = self.measure(duration)?;
            let files = self.attacked.process.open_files()?;
            println!("  attacked server: {files} open files");
            // Not all are there at a time: some are coming back.
            if files < HOSTILE / 4 {
                return Err("there is no crowd".into());
            }
            let usual = without.attacked.permille(990).max(with.spared.permille(990));
            if with.attacked.permille(990) <= usual * SLOWER {
                return Ok(());
            }
        }
        Err("good clients wait longer when a crowd attacks their server".into())
    }

    /// Lets good clients ask both, and prints how long they wait, and how busy the machine is.
    fn measure(&self, duration: Duration) -> Result<Answers, Failure> {
        let processes = [&self.attacked.process, &self.spared.process, &Process::own()];
        let cpu_times = || -> io::Result<Vec<Duration>> {
            processes.iter().map(|process| process.cpu_time()).collect()
        };
        let (begin, before) = (Instant::now(), cpu_times()?);
        let both = run(async {
            let ask = |server: &Program| good::ask(server.address, duration);
            tokio::try_join!(ask(&self.attacked), ask(&self.spared))
        });
        let (attacked, spared) = both??;
        let after = cpu_times()?;
        let seconds = begin.elapsed().as_secs_f64();
        let shares = before.iter().zip(&after).map(|(before, after)| *after - *before);
        let shares: Vec<f64> = shares.map(|time| time.as_secs_f64() / seconds).collect();
        println!("  attacked server: {attacked}; busy with {:.2} processors", shares[0]);
        println!("  spared server: {spared}; busy with {:.2} processors", shares[1]);
        println!("  all clients: busy with {:.2} processors", shares[2]);
        Ok(Answers { attacked, spared })
    }
}

/// Starts the hostile peers, in a thread of their own.
fn gather(server: SocketAddr, begun: &Arc<Begun>) -> Result<Runtime, Failure> {
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    for number in 0..HOSTILE {
        let begun = Arc::clone(begun);
        let kind = number % Attack::ALL.len();
        runtime.spawn(async move {
            sleep(ARRIVAL * number as u32).await;
            for round in number.. {
                begun[kind].fetch_add(1, Ordering::Relaxed);
                // However it ends, the server is to blame only if others have to wait.
                Attack::ALL[kind].run(server, round).await.ok();
                sleep(RETURN).await;
            }
        });
    }
    Ok(runtime)
}
