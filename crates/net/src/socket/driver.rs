//! A task that drives a link, while the application uses its socket in the same task or in others.

use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use fullduplex_proto::{CloseFrame, Delivery, Message, MessageBatch, Part, Received, Text};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;

use crate::socket::halves::{Halves, Wait};
use crate::socket::link::Link;
use crate::socket::poller::{Driver, Poller, ReadAhead, SocketState, Turn, Waits, Work};

impl<S: AsyncRead + AsyncWrite + Unpin> Link<S> {
    /// Announces that a task will drive the link. Until its first turn, no other task drives it.
    pub(crate) fn expect_driver(&mut self) {
        self.poller = Poller::Driver(Driver::new(Waker::noop().clone()));
    }

    /// Lets two tasks use the socket, one to receive and one to send.
    pub(crate) fn share(&mut self) {
        if let Poller::User = self.poller {
            self.poller = Poller::Halves(Box::new(Halves::new()));
        }
    }

    /// Begins a turn of the driving task, the task of `cx`. During the turn, the application need not wake that task.
    pub(crate) fn begin_turn(&mut self, cx: &Context<'_>) {
        let Some(driver) = self.poller.driver() else { return };
        driver.turn = Turn::Application;
        driver.work = Work::Due;
        driver.waits = Waits::default();
        if !driver.waker.will_wake(cx.waker()) {
            driver.waker.clone_from(cx.waker());
            // A waiter within the driving task was polled before the turn. It is polled again now.
            driver.waiters.take_if(|waiters| waiters.belong_to(cx.waker()));
            self.register(cx.waker());
        }
    }

    /// Ends a turn: writes queued messages, and reads until there is one event for the application. `close` is sent if
    /// the socket was dropped. Returns the tasks to wake.
    pub(crate) fn end_turn(&mut self, close: Option<&CloseFrame>, cx: &mut Context<'_>) -> Wakers {
        let Some(driver) = self.poller.driver() else { return Wakers::default() };
        driver.turn = Turn::Over;
        let waits = driver.waits;
        if driver.socket == SocketState::Dropped {
            driver.ahead = None;
            self.start_close(close);
        } else if driver.work == Work::Done && !waits.write {
            self.report();
            return Wakers::default();
        }
        let before = self.unwritten();
        let has_event = self.drive(cx);
        let after = self.unwritten();
        let has_ended = self.close_result().is_some();
        let has_written = after != before || after.0 == 0 || has_ended;
        self.report();
        if waits.event && has_event || waits.write && has_written {
            cx.waker().wake_by_ref();
        }
        let Some(waiters) = self.poller.driver().and_then(|driver| driver.waiters.as_mut()) else {
            return Wakers::default();
        };
        // Only tasks that can continue are woken. One of them may be part of the driving task, and then its
        // wake causes another turn.
        Wakers([
            if has_event { waiters.event.take() } else { None },
            if has_written { waiters.write.take() } else { None },
        ])
    }

    /// Drives the link without the application. Returns whether there is an event for the application.
    fn drive(&mut self, cx: &mut Context<'_>) -> bool {
        loop {
            let Some(driver) = self.poller.driver() else { return true };
            let waits_for_application = driver.waits_for_application();
            if waits_for_application {
                let ahead = driver.ahead.get_or_insert_with(ReadAhead::new);
                let (late, has_room) = (ahead.late, ahead.has_room());
                if !has_room || self.poll_alarm(late, Instant::now(), cx).is_pending() {
                    let is_over = self.poll_all_but_reading(cx).is_ready();
                    if has_room && !is_over {
                        // The alarm is set again, because checking a deadline may have cleared it.
                        let _ = self.poll_alarm(late, Instant::now(), cx);
                    }
                    return true;
                }
            }
            match self.poll_event(cx) {
                Poll::Pending => return waits_for_application,
                Poll::Ready(None) => return true,
                Poll::Ready(Some(event @ (Received::Message(_) | Received::Part(_)))) => {
                    if let Some(driver) = self.poller.driver()
                        && matches!(driver.socket, SocketState::Held | SocketState::HeldWithBatch)
                    {
                        driver.ahead.get_or_insert_with(ReadAhead::new).push(event);
                    }
                }
                Poll::Ready(Some(Received::Ping(_) | Received::Pong(_) | Received::Close(_))) => {}
            }
        }
    }

    /// Polls for the application, like [`Link::poll_event`]. The application may have changed the delivery since an
    /// event was read ahead.
    pub(crate) fn poll_event_for_application(
        &mut self,
        delivery: Delivery,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Received>> {
        self.set_delivery(delivery);
        let Some(event) = self.poller.driver().and_then(Driver::pop_ahead) else {
            return self.poll_event_as_user(cx);
        };
        match event {
            Received::Part(Part { content, last: false }) if delivery == Delivery::Whole => {
                let polled = self.poll_event_as_user(cx);
                if let Poll::Ready(Some(Received::Message(rest))) = &polled {
                    return Poll::Ready(Some(Received::Message(join(&content, rest))));
                }
                if polled != Poll::Ready(None)
                    && let Some(driver) = self.poller.driver()
                {
                    let part = Received::Part(Part { content, last: false });
                    driver.ahead.get_or_insert_with(ReadAhead::new).push(part);
                }
                polled
            }
            Received::Part(Part { content, last: true }) if delivery == Delivery::Whole => {
                Poll::Ready(Some(Received::Message(content)))
            }
            event => Poll::Ready(Some(event)),
        }
    }

    fn poll_event_as_user(&mut self, cx: &mut Context<'_>) -> Poll<Option<Received>> {
        let polled = self.poll_as_user(cx, Wait::Event, Self::poll_event);
        if polled == Poll::Ready(None) {
            self.mark_end_seen();
        }
        polled
    }

    /// Records that the application has noticed the end of the connection.
    pub(crate) fn mark_end_seen(&mut self) {
        if let Some(driver) = self.poller.driver()
            && driver.socket != SocketState::Dropped
        {
            driver.socket = SocketState::EndSeen;
        }
    }

    /// Returns whether the application holds its socket and has not noticed the end of the connection.
    pub(crate) fn is_end_unseen(&mut self) -> bool {
        let is_unaware = |state| matches!(state, SocketState::Held | SocketState::HeldWithBatch);
        self.poller.driver().is_some_and(|driver| is_unaware(driver.socket))
    }

    /// Takes the messages that arrived together with the last event and follow it. Nothing else is read until
    /// [`Link::handle_batch_taken`].
    pub(crate) fn take_messages(&mut self) -> MessageBatch {
        if self.poller.driver().is_some_and(|driver| driver.ahead.is_some()) {
            // Events that were read ahead come first.
            return MessageBatch::default();
        }
        let messages = self.receive_messages();
        if messages.len() > 0
            && let Some(driver) = self.poller.driver()
        {
            driver.socket = SocketState::HeldWithBatch;
        }
        messages
    }

    /// Handles that the application has taken the last message of a batch.
    pub(crate) fn handle_batch_taken(&mut self) {
        self.drop_cork();
        if let Some(driver) = self.poller.driver() {
            driver.socket = SocketState::Held;
            driver.ahead.take_if(|ahead| ahead.events.is_empty());
        }
    }

    /// Polls for the application. If another task polls the transport, that task is woken, and it wakes the task of
    /// `cx` later.
    pub(crate) fn poll_as_user<T>(
        &mut self,
        cx: &mut Context<'_>,
        wait: Wait,
        poll: impl FnOnce(&mut Self, &mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        let driver = match &mut self.poller {
            Poller::User => return poll(self, cx),
            Poller::Halves(halves) => {
                let waker = halves.register(wait, cx.waker()).clone();
                return poll(self, &mut Context::from_waker(&waker));
            }
            Poller::Driver(driver) => driver,
        };
        if driver.waker.will_wake(cx.waker()) {
            let polled = poll(self, cx);
            if polled.is_pending()
                && let Some(driver) = self.poller.driver()
            {
                match wait {
                    Wait::Event => (driver.waits.event, driver.work) = (true, Work::Done),
                    Wait::Write => (driver.waits.write, driver.work) = (true, Work::Due),
                }
            }
            return polled;
        }
        let waker = driver.waker.clone();
        let polled = poll(self, &mut Context::from_waker(&waker));
        if polled.is_pending()
            && let Some(driver) = self.poller.driver()
        {
            driver.work = if wait == Wait::Event { Work::Done } else { Work::Due };
            let waiters = driver.waiters();
            let waiter = match wait {
                Wait::Event => &mut waiters.event,
                Wait::Write => &mut waiters.write,
            };
            waiter.get_or_insert_with(|| cx.waker().clone()).clone_from(cx.waker());
        }
        polled
    }

    /// Returns whether the driving task polls the application.
    pub(super) fn polls_application(&mut self) -> bool {
        self.poller.driver().is_some_and(|driver| driver.turn == Turn::Application)
    }

    /// Records that the link must be driven at the end of the turn.
    pub(super) fn note_work(&mut self) {
        if let Some(driver) = self.poller.driver() {
            driver.work = Work::Due;
        }
    }

    /// Returns whether a driving task writes queued messages.
    pub(crate) fn is_driven(&self) -> bool {
        matches!(self.poller, Poller::Driver(_))
    }

    /// Returns the task to wake after a call of the application. Returns `None` if the driving task notices the call
    /// anyway.
    pub(crate) fn driver_to_wake(&mut self) -> Option<Waker> {
        let driver = self.poller.driver()?;
        driver.work = Work::Due;
        (driver.turn == Turn::Over).then(|| driver.waker.clone())
    }

    /// Handles that the application has dropped its socket. Returns the task to wake.
    pub(crate) fn handle_dropped(&mut self) -> Option<Waker> {
        let driver = self.poller.driver()?;
        driver.socket = SocketState::Dropped;
        driver.ahead = None;
        self.driver_to_wake()
    }

    /// Ends the connection immediately when the driving task ends. Returns the tasks to wake.
    pub(crate) fn abandon(&mut self) -> Wakers {
        self.cut();
        match std::mem::replace(&mut self.poller, Poller::User) {
            Poller::Driver(Driver { waiters: Some(waiters), .. }) => {
                Wakers([waiters.event, waiters.write])
            }
            _ => Wakers::default(),
        }
    }
}

/// Tasks to wake without holding a lock, because wakers are foreign code.
#[derive(Debug, Default)]
#[must_use = "the tasks wait for it"]
pub(crate) struct Wakers([Option<Waker>; 2]);

impl Wakers {
    pub(crate) fn wake(self) {
        self.0.into_iter().flatten().for_each(Waker::wake);
    }
}

/// Joins the two parts of a message: `content` was received in parts, and `rest` as a whole.
fn join(content: &Message, rest: &Message) -> Message {
    let bytes = Bytes::from([&content.payload()[..], rest.payload()].concat());
    match content {
        Message::Text(_) => Text::from_utf8(bytes).expect("two texts are one").into(),
        Message::Binary(_) => bytes.into(),
    }
}
