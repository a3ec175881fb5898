//! Hostile peers beside good clients. The good clients must not wait, and the memory of the server must stay
//! bounded.

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

/// The number of hostile peers.
const HOSTILE: usize = 1000;

/// The pause between the first connections of hostile peers, and before each connects again.
const ARRIVAL: Duration = Duration::from_millis(1);
const RETURN: Duration = Duration::from_secs(1);

/// The factor by which the crowd may raise the 99th percentile of the answer times.
const SLOWER: u32 = 2;

/// The maximum number of measurements. One of them must pass. A busy machine causes outliers in the others.
const ROUNDS: u32 = 3;

/// The limit for the memory of the server.
const MEMORY: u64 = 512 << 20;

/// How often each attack started.
type Started = [AtomicUsize; Attack::ALL.len()];

/// Two servers that run at the same time, so that the load of the machine slows down both equally.
#[derive(Debug)]
struct Servers {
    /// The server that the crowd attacks.
    attacked: Program,
    spared: Program,
}

/// The answer times of the good clients of both servers.
#[derive(Debug)]
struct Answers {
    attacked: Times,
    spared: Times,
}

/// Measures good clients without a crowd and then with one. Each measurement takes `duration`.
pub(crate) fn crowd(duration: Duration) -> Result<(), Failure> {
    let servers = Servers { attacked: start_server()?, spared: start_server()? };
    println!("without a crowd:");
    let without = servers.measure(duration)?;
    let started = Arc::new(Started::default());
    let crowd = gather(servers.attacked.address, &started)?;
    thread::sleep(ARRIVAL * HOSTILE as u32 + RETURN);
    servers.compare(&without, duration)?;
    crowd.shutdown_background();
    for (attack, started) in Attack::ALL.iter().zip(&*started) {
        println!("{attack:?}: started {} times", started.load(Ordering::Relaxed));
    }
    match servers.attacked.process.peak_memory()? {
        peak @ 0..=MEMORY => {
            println!("the attacked server used at most {:.1} MiB", mebibytes(peak));
            Ok(())
        }
        peak => Err(format!("the attacked server used {:.1} MiB", mebibytes(peak)).into()),
    }
}

impl Servers {
    /// Measures with a crowd. Fails if only the attacked server is slow in every round, because then the
    /// crowd is the cause.
    fn compare(&self, without: &Answers, duration: Duration) -> Result<(), Failure> {
        for round in 1..=ROUNDS {
            println!("with a crowd, round {round}:");
            let with = self.measure(duration)?;
            let files = self.attacked.process.open_files()?;
            println!("  attacked server: {files} open files");
            // Peers pause before they connect again, so not all of them are connected at the same time.
            if files < HOSTILE / 4 {
                return Err("too few hostile peers are connected".into());
            }
            let usual = without.attacked.permille(990).max(with.spared.permille(990));
            if with.attacked.permille(990) <= usual * SLOWER {
                return Ok(());
            }
        }
        Err("good clients wait longer when a crowd attacks their server".into())
    }

    /// Runs good clients of both servers, and prints their answer times and the load of the machine.
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

/// Starts the hostile peers in another thread.
fn gather(server: SocketAddr, started: &Arc<Started>) -> Result<Runtime, Failure> {
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    for number in 0..HOSTILE {
        let started = Arc::clone(started);
        let kind = number % Attack::ALL.len();
        runtime.spawn(async move {
            sleep(ARRIVAL * number as u32).await;
            for round in number.. {
                started[kind].fetch_add(1, Ordering::Relaxed);
                // The result of an attack is ignored: the test only measures whether other clients wait.
                Attack::ALL[kind].run(server, round).await.ok();
                sleep(RETURN).await;
            }
        });
    }
    Ok(runtime)
}
