//! What the application does at one end of a socket.

use std::future::pending;
use std::sync::{Arc, Mutex, MutexGuard};

use fullduplex_net::{CloseCode, CloseFrame, Message, Sender, Socket, SocketError};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{sleep, timeout};

use super::ledger::{EndId, Ledger};
use super::plan::{EndPlan, Ending, Side};
use super::trace::TraceEvent;

/// How many bytes an end queues before it waits.
const CAPACITY: usize = 1 << 16;

/// One end of a socket.
pub(super) struct End {
    pub(super) id: usize,
    pub(super) side: Side,
    pub(super) ledger: Arc<Mutex<Ledger>>,
}

impl End {
    /// Sends, receives and ends as planned.
    pub(super) async fn run<S>(&self, mut socket: Socket<S>, plan: &EndPlan)
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let end = self.ledger().opened(self.id, self.side);
        let sender = socket.sender().with_capacity(CAPACITY);
        let has_ended = tokio::select! {
            biased;
            () = self.receive(end, &mut socket, plan) => true,
            () = self.send(end, &sender, plan) => false,
        };
        let code = socket.close_result().map(|closed| closed.code()).filter(|code| *code != 1006);
        drop(socket);
        if has_ended {
            self.ledger().ended(end, code);
        } else {
            let event = TraceEvent::Drops(self.id, self.side);
            self.ledger().closing(end, event);
        }
    }

    /// Receives until the end of the socket.
    async fn receive<S>(&self, end: EndId, socket: &mut Socket<S>, plan: &EndPlan)
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let mut number = 0;
        let mut rest = plan.rest;
        loop {
            if let Some((_, time)) = rest.take_if(|(at, _)| *at == number) {
                sleep(time).await;
            }
            match receive_one(socket, plan).await {
                Ok(Some(message)) => self.ledger().received(end, &message),
                Ok(None) | Err(_) => return,
            }
            number += 1;
        }
    }

    /// Sends all messages. Returns if the socket is to be dropped.
    async fn send(&self, end: EndId, sender: &Sender, plan: &EndPlan) {
        for (pause, length) in &plan.messages {
            if !pause.is_zero() {
                sleep(*pause).await;
            }
            let message = self.ledger().next_message(end, *length);
            if sender.send(message).await.is_err() {
                return pending().await;
            }
            self.ledger().sent(end);
        }
        let (pause, ending) = plan.ending;
        sleep(pause).await;
        match ending {
            Ending::Drops => return,
            Ending::Waits => {}
            Ending::Closes => {
                let event = TraceEvent::Closes(self.id, self.side);
                self.ledger().closing(end, event);
                let code = CloseCode::new(self.side.close_code()).expect("the code is valid");
                sender.close(Some(CloseFrame { code, reason: Default::default() }));
            }
        }
        pending().await
    }

    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().expect("no task panics with the lock")
    }
}

async fn receive_one<S>(
    socket: &mut Socket<S>,
    plan: &EndPlan,
) -> Result<Option<Message>, SocketError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let Some(impatience) = plan.impatience else { return socket.recv().await };
    loop {
        if let Ok(received) = timeout(impatience, socket.recv()).await {
            return received;
        }
    }
}
