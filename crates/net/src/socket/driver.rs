use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use fullduplex_proto::{CloseFrame, Delivery, Message, MessageBatch, Part, Received, Text};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::socket::link::Link;

/// What a link keeps for the task that drives it, which is not always the one that uses the socket.
///
/// The transport and the alarm wake the driving task only, and it passes the wake on.
#[derive(Debug)]
pub(crate) struct DriverState {
    /// The driving task.
    waker: Waker,
    turn: Turn,
    awaited: Awaited,
    handle: Handle,
    /// An event that came while the application awaited none. There is at most one: then reading stops,
    /// until the application takes it.
    ahead: Option<Box<Received>>,
    /// Whoever uses the socket, if it waits and is not woken with the driving task.
    other: Option<Box<Other>>,
}

/// Another task than the driving one, or a part of that with a waker of its own.
#[derive(Debug)]
struct Other {
    waker: Waker,
    awaits: Awaited,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turn {
    /// The driving task is polling the application, and drives the link afterwards.
    Application,
    Over,
}

/// What the application has waited for since the turn began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Awaited {
    Nothing,
    /// An event; so all has been task.
    Event,
    /// That the transport takes more.
    Writing,
    /// Either: a part of the application reads while another writes.
    Both,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Handle {
    Held,
    /// Held, with messages at hand that arrived together and are not all taken. Until they are, nothing is
    /// read, so that no Close is answered before what stands in front of it.
    Laden,
    Dropped,
}

impl Awaited {
    fn and(self, other: Self) -> Self {
        if self == other { self } else { Self::Both }
    }
}

impl DriverState {
    /// It is task by the task that `waker` wakes.
    pub(crate) fn by(waker: Waker) -> Self {
        Self {
            waker,
            turn: Turn::Over,
            awaited: Awaited::Nothing,
            handle: Handle::Held,
            ahead: None,
            other: None,
        }
    }

    /// Whether nothing has to be done but to wait: the application holds its socket, and has taken what
    /// came.
    pub(crate) fn is_at_rest(&self) -> bool {
        self.turn == Turn::Over && self.handle == Handle::Held && self.ahead.is_none()
    }

    /// Whether the application has to take what came before more is read.
    fn waits_for_application(&self) -> bool {
        self.handle == Handle::Laden || self.ahead.is_some()
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Link<S> {
    /// Takes note that a task will drive the link, so that whatever the application does before its
    /// first turn is seen to in it.
    pub(crate) fn expect_driver(&mut self) {
        self.driving = Some(DriverState::by(Waker::noop().clone()));
    }

    /// Begins a turn of the driving task, which is that of `cx`: what the application does until its
    /// end need not wake it.
    pub(crate) fn begin_turn(&mut self, cx: &Context<'_>) {
        let driving = self.driving.get_or_insert_with(|| DriverState::by(Waker::noop().clone()));
        driving.turn = Turn::Application;
        driving.awaited = Awaited::Nothing;
        if !driving.waker.will_wake(cx.waker()) {
            driving.waker.clone_from(cx.waker());
            self.register(cx.waker());
        }
    }

    /// Ends a turn: writes what was sent and, if the application waits for something else than events,
    /// reads what is no message, and one message at most. `close` is for a socket that was dropped.
    /// Returns whom to wake.
    pub(crate) fn end_turn(
        &mut self,
        close: Option<&CloseFrame>,
        cx: &mut Context<'_>,
    ) -> Option<Waker> {
        let driving = self.driving.as_mut()?;
        driving.turn = Turn::Over;
        let awaited = driving.awaited;
        if driving.handle == Handle::Dropped {
            driving.ahead = None;
            self.start_close(close);
        } else if awaited == Awaited::Event {
            self.take_note();
            return None;
        }
        let before = self.unwritten();
        let news = self.drive(cx);
        let has_ended = self.connection().closed().is_some();
        let wrote = self.unwritten() != before || has_ended;
        self.take_note();
        let concerns = |awaits| match awaits {
            Awaited::Nothing => false,
            Awaited::Event => news,
            Awaited::Writing => wrote,
            Awaited::Both => news || wrote,
        };
        if concerns(awaited) {
            cx.waker().wake_by_ref();
        }
        // Nobody is woken for nothing: a part of this task would be its next turn, and so on for ever.
        let other = self.driving.as_mut()?.other.take_if(|other| concerns(other.awaits));
        other.map(|other| other.waker)
    }

    /// Drives the link without the application; returns whether there is something for it.
    fn drive(&mut self, cx: &mut Context<'_>) -> bool {
        loop {
            if self.driving.as_ref().is_some_and(DriverState::waits_for_application) {
                let _ = self.poll_all_but_reading(cx);
                return true;
            }
            match self.poll_event(cx) {
                Poll::Pending => return false,
                Poll::Ready(None) => return true,
                Poll::Ready(Some(event @ (Received::Message(_) | Received::Part(_)))) => {
                    if let Some(driving) = &mut self.driving
                        && driving.handle == Handle::Held
                    {
                        driving.ahead = Some(Box::new(event));
                    }
                }
                Poll::Ready(Some(Received::Ping(_) | Received::Pong(_) | Received::Close(_))) => {}
            }
        }
    }

    /// As [`Link::poll_event`], for the application, which may have chosen another delivery since an
    /// event was received ahead.
    pub(crate) fn poll_event_for_application(
        &mut self,
        delivery: Delivery,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Received>> {
        self.connection().set_delivery(delivery);
        let ahead = self.driving.as_mut().and_then(|driving| driving.ahead.take());
        let Some(event) = ahead else {
            return self.as_driver(cx, Awaited::Event, Self::poll_event);
        };
        match *event {
            Received::Part(Part { content, last: false }) if delivery == Delivery::Whole => {
                let polled = self.as_driver(cx, Awaited::Event, Self::poll_event);
                if let Poll::Ready(Some(Received::Message(rest))) = &polled {
                    return Poll::Ready(Some(Received::Message(join(&content, rest))));
                }
                if polled != Poll::Ready(None)
                    && let Some(driving) = &mut self.driving
                {
                    driving.ahead = Some(Box::new(Received::Part(Part { content, last: false })));
                }
                polled
            }
            Received::Part(Part { content, last: true }) if delivery == Delivery::Whole => {
                Poll::Ready(Some(Received::Message(content)))
            }
            event => Poll::Ready(Some(event)),
        }
    }

    /// Takes messages that have arrived together with the last event, behind it. Nothing else is read until
    /// [`Link::handle_messages_taken`].
    pub(crate) fn take_messages(&mut self) -> MessageBatch {
        let messages = self.receive_messages();
        if messages.len() > 0
            && let Some(driving) = &mut self.driving
        {
            driving.handle = Handle::Laden;
        }
        messages
    }

    /// Takes note that the application has the last of the messages that it took together.
    pub(crate) fn handle_messages_taken(&mut self) {
        if let Some(driving) = &mut self.driving {
            driving.handle = Handle::Held;
        }
    }

    /// As the function `poll`, which waits for the transport to take more, for the application.
    pub(crate) fn poll_writing<T>(
        &mut self,
        cx: &mut Context<'_>,
        poll: impl FnOnce(&mut Self, &mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        self.as_driver(cx, Awaited::Writing, poll)
    }

    /// Polls so that the driving task is woken, if there is one; it wakes that of `cx`.
    fn as_driver<T>(
        &mut self,
        cx: &mut Context<'_>,
        awaited: Awaited,
        poll: impl FnOnce(&mut Self, &mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        let Some(driving) = &mut self.driving else {
            return poll(self, cx);
        };
        let is_driver = driving.waker.will_wake(cx.waker());
        let polled = if is_driver {
            poll(self, cx)
        } else {
            let waker = driving.waker.clone();
            poll(self, &mut Context::from_waker(&waker))
        };
        if polled.is_pending()
            && let Some(driving) = &mut self.driving
        {
            driving.awaited = awaited;
            let before = driving.other.take().filter(|other| other.waker.will_wake(cx.waker()));
            let awaits = before.map_or(awaited, |other| other.awaits.and(awaited));
            let other = || Box::new(Other { waker: cx.waker().clone(), awaits });
            driving.other = (!is_driver).then(other);
        }
        polled
    }

    /// Whether a task of ours will write what was queued.
    pub(crate) fn is_driven(&self) -> bool {
        self.driving.is_some()
    }

    /// Whom to wake so that what the application did has its effect: nobody if the driving task will see
    /// to it anyway.
    pub(crate) fn driver_to_wake(&mut self) -> Option<Waker> {
        let driving = self.driving.as_mut()?;
        driving.awaited = Awaited::Nothing;
        (driving.turn == Turn::Over).then(|| driving.waker.clone())
    }

    /// Takes note that the application has dropped its socket; returns whom to wake.
    pub(crate) fn handle_dropped(&mut self) -> Option<Waker> {
        let driving = self.driving.as_mut()?;
        driving.handle = Handle::Dropped;
        driving.ahead = None;
        self.driver_to_wake()
    }

    /// Gives the connection up; returns whom to wake.
    pub(crate) fn cut(&mut self) -> Option<Waker> {
        let connection = self.connection();
        connection.handle_write_failed();
        connection.handle_end_of_input();
        self.shut_mailbox();
        self.leave();
        self.driving.take()?.other.map(|other| other.waker)
    }
}

/// The message of which `content` was received in parts, and `rest` as what was left of it.
fn join(content: &Message, rest: &Message) -> Message {
    let bytes = Bytes::from([&content.payload()[..], rest.payload()].concat());
    match content {
        Message::Text(_) => Text::from_utf8(bytes).expect("two texts are one").into(),
        Message::Binary(_) => bytes.into(),
    }
}
