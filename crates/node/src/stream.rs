//! `WebSocketStream`: what its machine is told, and the effects that JavaScript carries out.

use fullduplex::rules::stream_machine::{Effect, StreamMachine, close_frame_of_error};
use napi_derive::napi;

use crate::socket::{Result, Socket, call, close_code_of, with};

/// Whether the next message is to be taken.
#[napi]
pub fn stream_wants_message(number: u32) -> Option<bool> {
    with(number, |it| it.stream.wants_message(it.socket.ready_state()))
}

/// The readable stream wants a chunk.
#[napi]
pub fn stream_pull(number: u32) {
    with(number, |it| it.stream.handle_pull());
}

/// A message is in the readable stream.
#[napi]
pub fn stream_message(number: u32) -> Vec<u8> {
    effects(number, |stream, _| stream.handle_message())
}

/// Whether a chunk can be written.
#[napi]
pub fn stream_may_write(number: u32) -> Option<bool> {
    with(number, |it| it.stream.may_write(it.socket.ready_state()))
}

/// A chunk was fed; returns whether its write waits for room.
#[napi]
pub fn stream_write(number: u32) -> Option<bool> {
    with(number, |it| it.stream.handle_write(it.socket.buffered_amount()))
}

/// Something may have been written.
#[napi]
pub fn stream_room(number: u32) -> Vec<u8> {
    effects(number, |stream, buffered| stream.handle_buffered(buffered))
}

/// The writable stream closes.
#[napi]
pub fn stream_finish(number: u32) {
    with(number, |it| it.stream.handle_finish());
}

/// The connection has ended.
#[napi]
pub fn stream_end(number: u32, was_clean: bool, code: u32) -> Vec<u8> {
    let code = close_code_of(code);
    effects(number, |stream, buffered| stream.handle_end(was_clean, code, buffered))
}

/// The signal has aborted.
#[napi]
pub fn stream_abort(number: u32) -> Vec<u8> {
    effects(number, |stream, _| stream.handle_failure())
}

/// As `close`, for a reader or a writer that gives up with an error of this code and reason, or with something
/// else.
#[napi]
pub fn stream_give_up(number: u32, code: Option<u32>, reason: Option<String>) -> Result<bool> {
    let frame = close_frame_of_error(code.map(close_code_of), reason.as_deref());
    let code = frame.as_ref().map(|frame| frame.code.get());
    let reason = frame.as_ref().map(|frame| frame.reason.as_str());
    call(number, |it| it.socket.close_as(code, reason))
}

/// The names of the effects, by the number that the other functions return; 0 is none.
#[napi]
pub fn stream_effects() -> Vec<String> {
    let names = Effect::ALL.iter().map(|effect| format!("{effect:?}"));
    std::iter::once(String::new()).chain(names).collect()
}

/// Returns the effects as their numbers.
fn effects<E: IntoIterator<Item = Effect>>(
    number: u32,
    tell: impl FnOnce(&mut StreamMachine, u64) -> E,
) -> Vec<u8> {
    let told = |it: &mut Socket| {
        let buffered = it.socket.buffered_amount();
        tell(&mut it.stream, buffered).into_iter().map(|effect| effect as u8).collect()
    };
    with(number, told).unwrap_or_default()
}
