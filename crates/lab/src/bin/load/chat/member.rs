use std::sync::Arc;
use std::time::Duration;

use fullduplex_net::proto::Message;
use fullduplex_net::{ConnectOptions, Socket, connect};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at, sleep_until, timeout};

use super::Plan;
use super::ledger::Ledger;
use crate::Failure;
use crate::serve::WELCOME;

/// How long a member waits for the server.
const PATIENCE: Duration = Duration::from_secs(30);

/// A member of the room.
#[derive(Debug)]
pub(super) struct Member {
    plan: Arc<Plan>,
    number: usize,
    socket: Socket,
    ledger: Ledger,
    /// The number of messages received before a restart.
    received_before: u64,
}

impl Member {
    /// Joins the room.
    pub(super) async fn enter(plan: Arc<Plan>, number: usize) -> Result<Self, Failure> {
        let (socket, ledger) = join(&plan).await?;
        Ok(Self { plan, number, socket, ledger, received_before: 0 })
    }

    /// Receives, sends and restarts as planned.
    pub(super) async fn stay(mut self, begin: Instant) -> Result<Self, Failure> {
        let mut speech = self.plan.speech(self.number).map(|(first, period)| {
            let mut speech = interval_at(begin + first, period);
            speech.set_missed_tick_behavior(MissedTickBehavior::Delay);
            speech
        });
        if let Some(restart) = self.plan.restart(self.number) {
            self.take_part(&mut speech, begin + restart).await?;
            self.restart().await?;
        }
        self.take_part(&mut speech, begin + self.plan.duration).await?;
        Ok(self)
    }

    async fn take_part(
        &mut self,
        speech: &mut Option<Interval>,
        until: Instant,
    ) -> Result<(), Failure> {
        let end = sleep_until(until);
        tokio::pin!(end);
        loop {
            tokio::select! {
                received = self.socket.recv() => self.receive(received?)?,
                () = tick(speech) => {
                    let number = self.plan.authors.next(self.number);
                    self.socket.send(Ledger::text(self.number, number)).await?;
                }
                () = &mut end => return Ok(()),
            }
        }
    }

    async fn restart(&mut self) -> Result<(), Failure> {
        timeout(PATIENCE, self.socket.close(None)).await??;
        self.received_before += self.ledger.count;
        (self.socket, self.ledger) = join(&self.plan).await?;
        Ok(())
    }

    /// Receives the last messages after the authors have stopped, and leaves. Returns the number of messages
    /// received.
    pub(super) async fn leave(mut self) -> Result<u64, Failure> {
        loop {
            let missing = self.ledger.missing(&self.plan.authors);
            if missing == 0 {
                break;
            }
            let received = timeout(PATIENCE, self.socket.recv()).await;
            let received = received.map_err(|_| format!("{missing} messages have not arrived"))?;
            self.receive(received?)?;
        }
        self.socket.start_close(None);
        while let Some(message) = timeout(PATIENCE, self.socket.recv()).await?? {
            self.receive(Some(message))?;
        }
        Ok(self.received_before + self.ledger.count)
    }

    fn receive(&mut self, message: Option<Message>) -> Result<(), Failure> {
        match message {
            Some(Message::Text(text)) => Ok(self.ledger.receive(text.as_str())?),
            Some(Message::Binary(_)) => Err("a binary message was received".into()),
            None => Err(format!("the server closed: {:?}", self.socket.close_result()).into()),
        }
    }
}

async fn join(plan: &Plan) -> Result<(Socket, Ledger), Failure> {
    let options = ConnectOptions::new().deflate(None);
    let (mut socket, _) = connect(&plan.url, &options).await?;
    // Messages may arrive before the welcome.
    loop {
        match timeout(PATIENCE, socket.recv()).await?? {
            Some(message) if message.payload() == WELCOME.as_bytes() => break,
            Some(_) => {}
            None => return Err("the room rejected a member".into()),
        }
    }
    let ledger = Ledger::new(&plan.authors);
    Ok((socket, ledger))
}

/// Waits until the next message is due.
async fn tick(speech: &mut Option<Interval>) {
    match speech {
        Some(speech) => drop(speech.tick().await),
        None => std::future::pending().await,
    }
}
