//! The task that opens one connection after another and posts their events.

use std::future::{pending, poll_fn};
use std::ops::ControlFlow;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use fullduplex_proto::Message;
use futures_core::Stream;

use crate::backend::builder::Builder;
use crate::backend::{Failure, Instant, random, sleep_until, spawn};
use crate::object::callback::catch_panic;
use crate::object::events::Events;
use crate::object::maybe_send::MaybeSend;
use crate::object::race::race;
use crate::object::target::Object;
use crate::object::websocket::WebSocket;
use crate::reconnect::event::{Lost, LostCause, ReconnectingEvent, Undelivered, UndeliveredReason};
use crate::reconnect::plan::Plan;
use crate::reconnect::reconnection::{Command, ReconnectTarget};
use crate::reconnect::schedule::{Phase, Verdict};
use crate::rules::event::{CloseEvent, Event};

/// Messages are handed over while the connection has fewer bytes than this to write. Messages that were
/// handed to a connection are not sent again after it ends.
const HAND_OVER_HIGH_WATER: u64 = 16 << 10;

/// A high-water mark that hands over all messages, because a Close follows them.
const EVERYTHING: u64 = u64::MAX;

/// Starts the driver, unless it is running.
pub(super) fn start(target: &Arc<ReconnectTarget>) {
    let plan = {
        let mut state = target.state();
        let plan = state.object.plan.take();
        if plan.is_some() {
            state.wakers.set_driver_alive();
        }
        plan
    };
    if let Some(plan) = plan {
        spawn(run(Arc::clone(target), plan));
    }
}

/// Serves a socket from its first attempt until it ends.
fn run(target: Arc<ReconnectTarget>, plan: Plan) -> impl Future<Output = ()> + MaybeSend {
    let mut guard = EndGuard { target, plan: Some(plan) };
    async move {
        guard.target.restart();
        while let Some(plan) = &mut guard.plan
            && guard.target.attempt_and_wait(plan).await == Next::Attempt
        {}
    }
}

/// Ends the socket when its driver ends, even if the runtime is dropped or the driver panics.
struct EndGuard {
    target: Arc<ReconnectTarget>,
    plan: Option<Plan>,
}

impl Drop for EndGuard {
    fn drop(&mut self) {
        let target = &self.target;
        let connection = {
            let mut state = target.state();
            state.object.plan = self.plan.take();
            if state.object.schedule.phase() == Phase::Stopped {
                // `reconnect()` may have been called while the driver was ending.
                let starts_again = state.object.command == Some(Command::Reconnect);
                drop(state);
                target.driver_gone();
                if starts_again {
                    start(target);
                }
                return;
            }
            state.object.schedule.handle_end(Instant::now(), Verdict::Stop, 0);
            let failure = Arc::new(Failure::of_lost_driver());
            state.object.failure = Some(LostCause::Connection(failure));
            state.object.connection.take()
        };
        drop(connection);
        target.end(&CloseEvent::failed());
        target.driver_gone();
    }
}

/// The end of an attempt or of its connection.
enum End {
    /// The connection ended without a request of the application.
    Lost(CloseEvent, Option<LostCause>),
    /// The application closed the socket.
    Closed(CloseEvent),
    /// The application requested another connection.
    Replaced,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    Attempt,
    Stop,
}

impl ReconnectTarget {
    /// Makes one attempt, serves its connection, and waits for the next attempt.
    async fn attempt_and_wait(self: &Arc<Self>, plan: &mut Plan) -> Next {
        let end = self.attempt(plan).await;
        let connection = self.state().object.connection.take();
        let buffered = connection.as_ref().map_or(0, WebSocket::buffered_amount);
        drop(connection);
        let interrupted = {
            let outbox = &mut self.state().object.outbox;
            outbox.handle_taken(buffered);
            outbox.take_interrupted()
        };
        self.report(interrupted, UndeliveredReason::Interrupted);
        match end {
            End::Replaced => {
                self.restart();
                Next::Attempt
            }
            End::Closed(close) => {
                self.state().object.schedule.handle_end(Instant::now(), Verdict::Stop, 0);
                self.end(&close);
                Next::Stop
            }
            End::Lost(close, cause) => {
                let lost = self.decide(plan, close, cause);
                if self.state().object.schedule.phase() == Phase::Stopped {
                    self.end(&lost.close);
                    return Next::Stop;
                }
                self.post(ReconnectingEvent::Lost(lost));
                self.wait().await
            }
        }
    }

    /// Decides what follows a loss.
    fn decide(&self, plan: &mut Plan, close: CloseEvent, cause: Option<LostCause>) -> Lost {
        let retry = self.state().object.schedule.retries() + 1;
        let mut lost = Lost { close, cause, retry_in: Duration::ZERO, retry };
        let after = match &lost.cause {
            Some(LostCause::Connection(failure)) => failure.retry_after(),
            _ => None,
        };
        let mut verdict = Verdict::Stop; // if the predicate panics
        catch_panic(|| {
            if !(plan.stop_when)(&lost) {
                verdict = Verdict::Retry { after: after.unwrap_or_default() };
            }
        });
        let chance = random();
        let now = Instant::now();
        let object = &mut self.state().object;
        object.failure.clone_from(&lost.cause);
        object.schedule.handle_end(now, verdict, chance);
        lost.retry = object.schedule.retries();
        if let Phase::Waiting { until } = object.schedule.phase() {
            lost.retry_in = until - now;
        }
        lost
    }

    /// Waits until it is time for the next attempt, or the application closes the socket.
    async fn wait(self: &Arc<Self>) -> Next {
        loop {
            self.turn();
            let until = {
                let mut state = self.state();
                let object = &mut state.object;
                object.schedule.handle_timeout(Instant::now());
                match (object.command.take(), object.schedule.phase()) {
                    (Some(Command::Reconnect), _) => {
                        object.schedule.restart();
                        return Next::Attempt;
                    }
                    (Some(close @ Command::Close(_)), _) => {
                        object.command = Some(close);
                        object.schedule.handle_end(Instant::now(), Verdict::Stop, 0);
                        drop(state);
                        self.end(&CloseEvent::failed());
                        return Next::Stop;
                    }
                    (None, Phase::Waiting { until }) => until,
                    (None, _) => return Next::Attempt,
                }
            };
            race(self.wanted(), sleep_until(until)).await;
        }
    }

    fn restart(&self) {
        let object = &mut self.state().object;
        object.command.take_if(|command| *command == Command::Reconnect);
        object.schedule.restart();
    }

    /// Opens a connection and serves it to its end.
    async fn attempt(self: &Arc<Self>, plan: &mut Plan) -> End {
        let provided = race(
            async { Ok(self.provide(plan).await) }, //
            async { Err(self.unwanted().await) },
        );
        let provided = match provided.await {
            Ok(provided) => provided,
            Err(end) => return end,
        };
        match provided.and_then(|builder| builder.open().map_err(LostCause::Options)) {
            Ok(connection) => {
                let events = connection.events();
                self.serve(connection, events).await
            }
            Err(cause) => End::Lost(CloseEvent::failed(), Some(cause)),
        }
    }

    /// Calls the provider, once the host has room for the events of another attempt.
    async fn provide(&self, plan: &mut Plan) -> Result<Builder, LostCause> {
        poll_fn(|cx| self.poll_state(cx, |state| (!state.object.is_full()).then_some(()))).await;
        let retry = self.state().object.schedule.retries();
        let mut provided = None;
        catch_panic(|| provided = Some((plan.provider)(retry)));
        match provided {
            Some(provided) => provided.await.map_err(|error| LostCause::Provider(error.into())),
            None => Err(LostCause::Provider(Arc::from(Box::from("the provider panicked")))),
        }
    }

    /// Waits until the application closes the socket or requests another connection.
    async fn unwanted(self: &Arc<Self>) -> End {
        loop {
            self.turn();
            match &self.state().object.command {
                Some(Command::Close(_)) => return End::Closed(CloseEvent::failed()),
                Some(Command::Reconnect) => return End::Replaced,
                None => {}
            }
            self.wanted().await;
        }
    }

    /// Serves a connection until it ends. Begins before the connection is open.
    async fn serve(self: &Arc<Self>, connection: WebSocket, events: Events) -> End {
        let mut events = pin!(events);
        {
            let object = &mut self.state().object;
            connection.set_binary_type(object.binary_type);
            object.connection = Some(connection.clone());
        }
        let mut closing = Closing::No;
        loop {
            self.turn();
            let command = self.state().object.command.clone();
            match command {
                Some(Command::Reconnect) => {
                    connection.close();
                    return End::Replaced;
                }
                Some(Command::Close(frame)) if closing == Closing::No => {
                    closing = Closing::Yes;
                    self.hand_over(&connection, EVERYTHING);
                    connection.target().close_with_frame(frame.as_ref());
                }
                _ => self.hand_over(&connection, HAND_OVER_HIGH_WATER),
            }
            let (is_full, has_more) = {
                let mut state = self.state();
                state.wakers.wake_waiting(); // `buffered_amount` may have fallen
                let has_more = !state.object.outbox.is_empty() && state.object.is_open();
                (state.object.is_full(), has_more)
            };
            let buffered = connection.buffered_amount();
            let written = async {
                match buffered {
                    0 => pending().await,
                    _ if has_more => connection.buffered_below(HAND_OVER_HIGH_WATER).await,
                    buffered => connection.buffered_below(buffered).await,
                }
            };
            let event = async {
                if is_full {
                    pending().await
                } else {
                    ControlFlow::Break(poll_fn(|cx| events.as_mut().poll_next(cx)).await)
                }
            };
            let due = async {
                race(self.wanted(), written).await;
                ControlFlow::Continue(())
            };
            let ControlFlow::Break(event) = race(event, due).await else { continue };
            match event {
                Some(Event::Open) => {
                    self.state().object.schedule.handle_open(Instant::now());
                    self.post(ReconnectingEvent::Open);
                }
                Some(Event::Message(message)) => self.post(ReconnectingEvent::Message(message)),
                Some(Event::Error) => {}
                Some(Event::Close(close)) if closing == Closing::Yes => return End::Closed(close),
                Some(Event::Close(close)) => {
                    let cause = connection.failure().map(LostCause::Connection);
                    return End::Lost(close, cause);
                }
                None => return End::Lost(CloseEvent::failed(), None),
            }
        }
    }

    /// Hands messages to an open connection while it has fewer than `high_water` bytes to write.
    fn hand_over(&self, connection: &WebSocket, high_water: u64) {
        if !self.state().object.is_open() {
            return;
        }
        let mut buffered = connection.buffered_amount();
        self.state().object.outbox.handle_taken(buffered);
        while buffered < high_water {
            let Some(message) = self.state().object.outbox.hand_over() else { break };
            buffered += message.len() as u64;
            connection.target().feed(message).ok(); // a closing connection drops it
        }
        connection.target().flush();
    }

    /// Reports dropped messages and fires waiting events.
    fn turn(self: &Arc<Self>) {
        self.drop_unclaimed_events();
        let dropped = self.state().object.outbox.take_dropped();
        if dropped.count > 0 {
            self.post(ReconnectingEvent::Undelivered(Undelivered {
                messages: dropped.messages,
                count: dropped.count,
                reason: UndeliveredReason::OutboxFull,
            }));
        }
        self.run_as_driver();
    }

    fn report(self: &Arc<Self>, messages: Vec<Message>, reason: UndeliveredReason) {
        if !messages.is_empty() {
            let count = messages.len() as u64;
            self.post(ReconnectingEvent::Undelivered(Undelivered { messages, count, reason }));
        }
    }

    /// Posts the last events.
    fn end(self: &Arc<Self>, close: &CloseEvent) {
        self.turn();
        let (interrupted, waiting) = {
            let object = &mut self.state().object;
            object.command.take_if(|command| matches!(command, Command::Close(_)));
            (object.outbox.take_interrupted(), object.outbox.take_waiting())
        };
        self.report(interrupted, UndeliveredReason::Interrupted);
        self.report(waiting, UndeliveredReason::Ended);
        if !close.was_clean {
            self.post(ReconnectingEvent::Error);
        }
        self.post(ReconnectingEvent::Close(close.clone()));
    }

    /// Waits for a request of the application.
    async fn wanted(&self) {
        poll_fn(|cx| self.state().wakers.poll_woken(cx)).await;
    }
}

/// Whether the driver has started to close the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Closing {
    No,
    Yes,
}
