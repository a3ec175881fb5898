//! The task that opens one connection after the other, and tells what becomes of them.

use std::future::{pending, poll_fn};
use std::sync::Arc;
use std::time::Duration;

use tokio::select;
use tokio::time::{Instant, sleep_until};

use super::builder::Plan;
use super::schedule::{Phase, Verdict};
use super::shared::{Shared, Wish};
use super::{Lost, LostCause, ReconnectingEvent, Undelivered, Undelivery};
use crate::native::shared::undisturbed;
use crate::object::event::{CloseEvent, Event};
use crate::object::events::{Events, MessageDemand};
use crate::object::websocket::WebSocket;
use crate::rules::machine::Task;

/// Messages are handed over to the connection while less than this waits there: what it has when it ends
/// is not sent again.
const HAND_OVER: u64 = 16 << 10;

/// Serves a socket from its first attempt until it tries no more.
pub(super) fn run(shared: Arc<Shared>, plan: Plan) -> impl Future<Output = ()> + Send {
    let mut life = Life { shared, plan: Some(plan) };
    async move {
        life.shared.restart();
        while let Some(plan) = &mut life.plan
            && !life.shared.attempt_and_wait(plan).await
        {}
    }
}

/// Ends the socket if its driver ends before its time: with its runtime, or by a panic.
struct Life {
    shared: Arc<Shared>,
    plan: Option<Plan>,
}

impl Drop for Life {
    fn drop(&mut self) {
        let shared = &self.shared;
        {
            let mut state = shared.state();
            state.plan = self.plan.take();
            if state.schedule.phase() == Phase::Stopped {
                // It was told to reconnect while it ended.
                let again = state.wish == Some(Wish::Reconnect);
                drop(state);
                if again {
                    shared.start();
                }
                return;
            }
            state.schedule.handle_end(Instant::now(), Verdict::Stop, 0);
        }
        let connection = shared.state().connection.take();
        drop(connection);
        shared.end(&failed());
    }
}

/// How an attempt, or the connection that came of it, has ended.
enum End {
    /// By itself.
    Lost(CloseEvent, Option<LostCause>),
    /// The application has closed it.
    Closed(CloseEvent),
    /// The application wants another one.
    Replaced,
}

impl Shared {
    /// One attempt, its connection, and the wait behind it. Returns whether that was the last.
    async fn attempt_and_wait(self: &Arc<Self>, plan: &mut Plan) -> bool {
        let end = self.attempt(plan).await;
        let connection = self.state().connection.take();
        let buffered = connection.as_ref().map_or(0, WebSocket::buffered_amount);
        drop(connection);
        let interrupted = {
            let mut state = self.state();
            state.outbox.handle_taken(buffered);
            state.outbox.take_interrupted()
        };
        self.report(interrupted, Undelivery::Interrupted);
        match end {
            End::Replaced => {
                self.restart();
                false
            }
            End::Closed(close) => {
                self.state().schedule.handle_end(Instant::now(), Verdict::Stop, 0);
                self.end(&close);
                true
            }
            End::Lost(close, cause) => {
                let lost = self.lost(plan, close, cause);
                if self.state().schedule.phase() == Phase::Stopped {
                    self.end(&lost.close);
                    return true;
                }
                self.fire(ReconnectingEvent::Lost(lost));
                self.wait().await
            }
        }
    }

    /// Decides what becomes of a loss.
    fn lost(&self, plan: &mut Plan, close: CloseEvent, cause: Option<LostCause>) -> Lost {
        let retry = self.state().schedule.retries() + 1;
        let mut lost = Lost { close, cause, retry_in: Duration::ZERO, retry };
        let mut verdict = Verdict::Stop; // if the predicate panics
        undisturbed(|| {
            let stops = (plan.stop_when)(&lost);
            verdict = if stops { Verdict::Stop } else { Verdict::Retry };
        });
        let chance = getrandom::u32().expect("the system must provide random numbers");
        let now = Instant::now();
        let mut state = self.state();
        state.failure.clone_from(&lost.cause);
        state.schedule.handle_end(now, verdict, chance);
        lost.retry = state.schedule.retries();
        if let Phase::Waiting { until } = state.schedule.phase() {
            lost.retry_in = until - now;
        }
        lost
    }

    /// Waits until it is time for the next attempt. Returns whether the socket has been closed instead.
    async fn wait(self: &Arc<Self>) -> bool {
        loop {
            self.report_dropped();
            let until = {
                let mut state = self.state();
                state.schedule.handle_timeout(Instant::now());
                match (state.wish.take(), state.schedule.phase()) {
                    (Some(Wish::Reconnect), _) => {
                        state.schedule.restart();
                        return false;
                    }
                    (Some(close @ Wish::Close(_)), _) => {
                        state.wish = Some(close);
                        state.schedule.handle_end(Instant::now(), Verdict::Stop, 0);
                        drop(state);
                        self.end(&failed());
                        return true;
                    }
                    (None, Phase::Waiting { until }) => until,
                    (None, _) => return false,
                }
            };
            select! {
                () = sleep_until(until) => {}
                () = self.wanted.notified() => {}
            }
        }
    }

    fn restart(&self) {
        let mut state = self.state();
        state.wish.take_if(|wish| *wish == Wish::Reconnect);
        state.schedule.restart();
    }

    /// Opens a connection, and serves it to its end.
    async fn attempt(self: &Arc<Self>, plan: &mut Plan) -> End {
        let retry = self.state().schedule.retries();
        let mut provided = None;
        undisturbed(|| provided = Some((plan.provider)(retry)));
        let provided = async {
            match provided {
                Some(provided) => provided.await.map_err(|error| LostCause::Provider(error.into())),
                None => Err(LostCause::Provider(Arc::from(Box::from("the provider has panicked")))),
            }
        };
        let builder = select! {
            builder = provided => builder,
            end = self.unwanted() => return end,
        };
        let mut events = None;
        let opened = builder.and_then(|builder| {
            let opened = builder.open_with(|socket| events = Some(socket.events()));
            opened.map_err(LostCause::Options)
        });
        match (opened, events) {
            (Ok(connection), Some(events)) => self.serve(connection, events).await,
            (Ok(_), None) => End::Lost(failed(), None),
            (Err(cause), _) => End::Lost(failed(), Some(cause)),
        }
    }

    /// Waits until the application wants no attempt any more.
    async fn unwanted(self: &Arc<Self>) -> End {
        loop {
            self.report_dropped();
            match &self.state().wish {
                Some(Wish::Close(_)) => return End::Closed(failed()),
                Some(Wish::Reconnect) => return End::Replaced,
                None => {}
            }
            self.wanted.notified().await;
        }
    }

    /// Serves a connection from before it is open to its end.
    async fn serve(self: &Arc<Self>, connection: WebSocket, mut events: Events) -> End {
        {
            let mut state = self.state();
            connection.set_binary_type(state.binary_type);
            state.connection = Some(connection.clone());
        }
        let mut closing = false;
        loop {
            self.report_dropped();
            let wish = self.state().wish.clone();
            match wish {
                Some(Wish::Reconnect) => {
                    connection.close();
                    return End::Replaced;
                }
                Some(Wish::Close(frame)) if !closing => {
                    closing = true;
                    self.hand_over(&connection, u64::MAX);
                    let (code, reason) = frame.map_or((None, None), |frame| {
                        (Some(frame.code.get()), Some(frame.reason.as_str().to_owned()))
                    });
                    connection.close_as(code, reason.as_deref()).ok(); // it was checked
                }
                _ => self.hand_over(&connection, HAND_OVER),
            }
            let takes_events = !self.state().stream_is_full();
            self.changed.notify_waiters(); // less may be buffered
            let has_more = !self.state().outbox.is_empty() && self.is_open();
            let buffered = connection.buffered_amount();
            let room = async {
                match buffered {
                    0 => pending().await,
                    _ if has_more => connection.buffered_below(HAND_OVER).await,
                    buffered => connection.buffered_below(buffered).await,
                }
            };
            let event = select! {
                event = next(&mut events), if takes_events => event,
                () = self.wanted.notified() => continue,
                () = room => continue,
            };
            match event {
                Some(Event::Open) => {
                    self.state().schedule.handle_open(Instant::now());
                    self.fire(ReconnectingEvent::Open);
                }
                Some(Event::Message(message)) => self.fire(ReconnectingEvent::Message(message)),
                Some(Event::Error) => {}
                Some(Event::Close(close)) if closing => return End::Closed(close),
                Some(Event::Close(close)) => {
                    let cause = connection.failure().map(LostCause::Connection);
                    return End::Lost(close, cause);
                }
                None => return End::Lost(failed(), None),
            }
        }
    }

    fn is_open(&self) -> bool {
        matches!(self.state().schedule.phase(), Phase::Open { .. })
    }

    /// Gives an open connection what waits, up to so many bytes there.
    fn hand_over(&self, connection: &WebSocket, up_to: u64) {
        if !self.is_open() {
            return;
        }
        let mut buffered = connection.buffered_amount();
        self.state().outbox.handle_taken(buffered);
        while buffered < up_to {
            let Some(message) = self.state().outbox.hand_over() else { break };
            buffered += message.len() as u64;
            connection.feed(message).ok(); // it is open, or drops what is sent
        }
        connection.flush();
    }

    fn report_dropped(self: &Arc<Self>) {
        let dropped = self.state().outbox.take_dropped();
        if dropped.count > 0 {
            self.fire(ReconnectingEvent::Undelivered(Undelivered {
                messages: dropped.messages,
                count: dropped.count,
                why: Undelivery::OutboxFullError,
            }));
        }
    }

    fn report(self: &Arc<Self>, messages: Vec<fullduplex_net::proto::Message>, why: Undelivery) {
        if !messages.is_empty() {
            let count = messages.len() as u64;
            self.fire(ReconnectingEvent::Undelivered(Undelivered { messages, count, why }));
        }
    }

    /// It tries no more.
    fn end(self: &Arc<Self>, close: &CloseEvent) {
        self.report_dropped();
        let (interrupted, waiting) = {
            let mut state = self.state();
            state.wish.take_if(|wish| matches!(wish, Wish::Close(_)));
            (state.outbox.take_interrupted(), state.outbox.take_waiting())
        };
        self.report(interrupted, Undelivery::Interrupted);
        self.report(waiting, Undelivery::Ended);
        if !close.was_clean {
            self.fire(ReconnectingEvent::Error);
        }
        self.fire(ReconnectingEvent::Close(close.clone()));
    }
}

async fn next(events: &mut Events) -> Option<Event> {
    poll_fn(|cx| events.poll_some(cx, MessageDemand::Take)).await
}

/// The close event of what was never open, or was lost.
fn failed() -> CloseEvent {
    match Task::failed() {
        Task::Closed { event, .. } => event,
        _ => unreachable!("a connection that has failed is closed"),
    }
}
