//! The rules of `WebSocketStream`, as [whatwg/websockets#48](https://github.com/whatwg/websockets/pull/48)
//! proposes it, beside those of [`machine`].
//!
//! A host has a [`StreamMachine`] for each stream, tells it what happens, and does to its promises and its
//! readable and writable streams what the [`Effect`]s say, in their order.

use fullduplex_net::proto::CloseFrame;

use crate::object::event::ReadyState;
use crate::rules::machine;

/// A write resolves while less than this waits for the network, in bytes.
const ROOM: u64 = 64 << 10;

/// One stream: which of its promises wait.
#[derive(Debug, Default)]
pub struct StreamMachine {
    /// A read, for a message.
    pull: Promise,
    /// A write, for room.
    write: Promise,
    /// The closing of the writable stream, for the end.
    finish: Promise,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Promise {
    #[default]
    None,
    Waits,
}

/// What the host does. "The error" is that of the connection, or the reason of an abort.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Effect {
    /// `opened` is rejected with the error, unless it was resolved.
    RejectOpened = 1,
    /// `closed` resolves with the code and the reason of the server.
    ResolveClosed,
    /// `closed` is rejected with the error.
    RejectClosed,
    /// The readable stream ends.
    CloseReadable,
    /// The readable stream fails with the error.
    ErrorReadable,
    /// The read that waits is over.
    ResolvePull,
    /// The write that waits has room.
    ResolveWrite,
    /// The write that waits is rejected with the error.
    RejectWrite,
    /// The write that waits is rejected with an `InvalidStateError`.
    RejectWriteAsClosing,
    /// The closing of the writable stream is done.
    ResolveFinish,
    /// The closing of the writable stream is rejected with the error.
    RejectFinish,
    /// The writable stream fails with the error.
    ErrorWritable,
    /// The writable stream fails with an `InvalidStateError`.
    ErrorWritableAsClosing,
}

impl Effect {
    /// All effects, in the order of their numbers.
    pub const ALL: [Self; 13] = [
        Self::RejectOpened,
        Self::ResolveClosed,
        Self::RejectClosed,
        Self::CloseReadable,
        Self::ErrorReadable,
        Self::ResolvePull,
        Self::ResolveWrite,
        Self::RejectWrite,
        Self::RejectWriteAsClosing,
        Self::ResolveFinish,
        Self::RejectFinish,
        Self::ErrorWritable,
        Self::ErrorWritableAsClosing,
    ];
}

impl StreamMachine {
    /// Whether the next message is to be taken: somebody reads; or nobody will, so that messages hold up
    /// nothing any more.
    pub fn wants_message(&self, state: ReadyState) -> bool {
        self.pull == Promise::Waits || state != ReadyState::Open
    }

    /// The readable stream wants a chunk.
    pub fn handle_pull(&mut self) {
        self.pull = Promise::Waits;
    }

    /// A message was taken and is in the readable stream.
    pub fn handle_message(&mut self) -> Option<Effect> {
        self.take_pull()
    }

    /// Whether a chunk can be written.
    pub fn may_write(&self, state: ReadyState) -> bool {
        state == ReadyState::Open
    }

    /// A chunk was sent, and so much waits for the network. Returns whether the write waits for room.
    pub fn handle_write(&mut self, buffered: u64) -> bool {
        let waits = buffered >= ROOM;
        if waits {
            self.write = Promise::Waits;
        }
        waits
    }

    /// So much waits for the network now.
    pub fn handle_buffered(&mut self, buffered: u64) -> Option<Effect> {
        if buffered >= ROOM { None } else { self.take_write().then_some(Effect::ResolveWrite) }
    }

    /// The writable stream closes: the connection does, behind what was written.
    pub fn handle_finish(&mut self) {
        self.finish = Promise::Waits;
    }

    /// The connection has ended, while so much was waiting for the network.
    pub fn handle_end(&mut self, was_clean: bool, code: u16, buffered: u64) -> Vec<Effect> {
        // What was sent and has not left is lost: then the end is not clean, whatever the server said.
        if !was_clean || buffered > 0 {
            let closing = code != 1006 && self.take_write();
            let closing = closing.then_some(Effect::RejectWriteAsClosing);
            return closing.into_iter().chain(self.handle_failure()).collect();
        }
        let finishes = self.finish == Promise::Waits;
        self.finish = Promise::None;
        let last = if finishes { Effect::ResolveFinish } else { Effect::ErrorWritableAsClosing };
        let write = self.take_write().then_some(Effect::RejectWriteAsClosing);
        let read = self.take_pull().into_iter().chain([Effect::CloseReadable]);
        read.chain(write).chain([last, Effect::ResolveClosed]).collect()
    }

    /// There is no connection, or there is none any more, and it was not closed in order; or the signal has
    /// aborted before there was one.
    pub fn handle_failure(&mut self) -> Vec<Effect> {
        let write = self.take_write().then_some(Effect::RejectWrite);
        let finish = (self.finish == Promise::Waits).then_some(Effect::RejectFinish);
        self.finish = Promise::None;
        let first = [Effect::RejectOpened, Effect::RejectClosed, Effect::ErrorReadable];
        let both = write.into_iter().chain(finish);
        first
            .into_iter()
            .chain(both)
            .chain([Effect::ErrorWritable])
            .chain(self.take_pull())
            .collect()
    }

    fn take_pull(&mut self) -> Option<Effect> {
        let waits = std::mem::take(&mut self.pull) == Promise::Waits;
        waits.then_some(Effect::ResolvePull)
    }

    fn take_write(&mut self) -> bool {
        std::mem::take(&mut self.write) == Promise::Waits
    }
}

/// The Close frame for a reader or a writer that gives up, with the code and the reason of its error if that
/// is a `WebSocketError`. One whose code came from a network cannot be sent, and says nothing.
pub fn close_frame_of_error(code: Option<u16>, reason: Option<&str>) -> Option<CloseFrame> {
    machine::close_frame(code, reason).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::Effect::*;
    use super::*;

    fn waiting() -> StreamMachine {
        let mut machine = StreamMachine::default();
        machine.handle_pull();
        assert!(machine.handle_write(ROOM));
        machine
    }

    #[test]
    fn a_clean_end_ends_both_streams() {
        let ended = [CloseReadable, ErrorWritableAsClosing, ResolveClosed];
        assert_eq!(StreamMachine::default().handle_end(true, 1000, 0), ended);
        let mut machine = waiting();
        let ended = [
            ResolvePull,
            CloseReadable,
            RejectWriteAsClosing,
            ErrorWritableAsClosing,
            ResolveClosed,
        ];
        assert_eq!(machine.handle_end(true, 1000, 0), ended);
        let mut machine = StreamMachine::default();
        machine.handle_finish();
        let ended = [CloseReadable, ResolveFinish, ResolveClosed];
        assert_eq!(machine.handle_end(true, 1005, 0), ended);
    }

    #[test]
    fn an_end_that_loses_something_is_a_failure() {
        let failed = [RejectOpened, RejectClosed, ErrorReadable, ErrorWritable];
        assert_eq!(StreamMachine::default().handle_end(true, 1000, 1), failed);
        assert_eq!(StreamMachine::default().handle_end(false, 1006, 0), failed);
        let lost = [
            RejectWriteAsClosing,
            RejectOpened,
            RejectClosed,
            ErrorReadable,
            ErrorWritable,
            ResolvePull,
        ];
        assert_eq!(waiting().handle_end(true, 1000, 1), lost);
        let cut =
            [RejectOpened, RejectClosed, ErrorReadable, RejectWrite, ErrorWritable, ResolvePull];
        assert_eq!(waiting().handle_end(false, 1006, 1), cut);
        let mut machine = StreamMachine::default();
        machine.handle_finish();
        let failed = [RejectOpened, RejectClosed, ErrorReadable, RejectFinish, ErrorWritable];
        assert_eq!(machine.handle_failure(), failed);
    }

    #[test]
    fn reading_and_writing_hold_each_other_up() {
        let mut machine = StreamMachine::default();
        assert!(!machine.wants_message(ReadyState::Open));
        assert!(machine.wants_message(ReadyState::Closing), "they hold nothing up any more");
        machine.handle_pull();
        assert!(machine.wants_message(ReadyState::Open));
        assert_eq!(machine.handle_message(), Some(ResolvePull));
        assert_eq!(machine.handle_message(), None);
        assert!(!machine.handle_write(ROOM - 1));
        assert!(machine.handle_write(ROOM));
        assert_eq!(machine.handle_buffered(ROOM), None);
        assert_eq!(machine.handle_buffered(ROOM - 1), Some(ResolveWrite));
        assert_eq!(machine.handle_buffered(0), None);
        assert!(!machine.may_write(ReadyState::Closing));
    }

    #[test]
    fn an_error_says_what_can_be_said() {
        let said = close_frame_of_error(Some(4000), Some("why")).expect("it can be said");
        assert_eq!((said.code.get(), said.reason.as_str()), (4000, "why"));
        assert_eq!(close_frame_of_error(Some(1006), Some("lost")), None);
        assert_eq!(close_frame_of_error(None, None), None);
    }
}
