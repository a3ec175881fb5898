use fullduplex::host::{Batch, Rest};
use fullduplex::{Data, Event, EventType, ReadyState};
use napi::bindgen_prelude::{ArrayBuffer, JsObjectValue, JsValue, JsValuesTupleIntoVec, Object};
use napi::{Env, JsString, Property, Result, Unknown, sys};
use napi_derive::napi;

/// The `open` event.
const OPEN: u32 = 1;
/// The `error` event.
const ERROR: u32 = 2;

/// Returns the types of events that can still fire, for each `readyState`.
#[napi]
pub fn firing_events() -> Vec<Vec<String>> {
    let names = |state| {
        let types = EventType::ALL.into_iter().filter(move |event_type| event_type.can_fire(state));
        types.map(|event_type| event_type.name().to_owned()).collect()
    };
    ReadyState::ALL.into_iter().map(names).collect()
}

/// Converts an event into one value: 1 for `open`, 2 for `error`, the data of a `message` as a
/// string or an `ArrayBuffer`, and an object with the members of a `close` event.
pub(crate) fn to_js<'env>(env: &'env Env, event: Event) -> Result<Unknown<'env>> {
    match event {
        Event::Open => number(env, OPEN),
        Event::Error => number(env, ERROR),
        Event::Message(message) => data(env, message.data),
        Event::Close(close) => {
            // Defined, because setting a member would call a setter of `Object.prototype`.
            let member = |name| Property::new().with_utf8_name(name);
            let mut object = Object::new(env)?;
            object.define_properties(&[
                member("wasClean")?.with_napi_value(env, close.was_clean)?,
                member("code")?.with_napi_value(env, close.code)?,
                member("reason")?.with_napi_value(env, close.reason)?,
            ])?;
            Ok(object.to_unknown())
        }
    }
}

/// Converts several messages into the arguments of one call, which is faster than filling an array.
/// The first argument tells whether all tasks have run.
pub(crate) fn many(env: &Env, batch: Batch) -> Result<Many<'_>> {
    let mut values = Vec::with_capacity(batch.messages.len() + 1);
    values.push(number(env, u32::from(batch.rest == Rest::Empty))?);
    for message in batch.messages {
        values.push(data(env, message.data)?);
    }
    Ok(Many(values))
}

/// Converts numbers into the arguments of one call.
pub(crate) fn numbers(env: &Env, numbers: impl Iterator<Item = u32>) -> Result<Many<'_>> {
    numbers.map(|one| number(env, one)).collect::<Result<_>>().map(Many)
}

/// The arguments of a call into JavaScript.
pub struct Many<'env>(Vec<Unknown<'env>>);

impl JsValuesTupleIntoVec for Many<'_> {
    fn into_vec(self, _: sys::napi_env) -> Result<Vec<sys::napi_value>> {
        Ok(self.0.iter().map(JsValue::raw).collect())
    }
}

fn data(env: &Env, data: Data) -> Result<Unknown<'_>> {
    match data {
        Data::Text(text) => Ok(string(env, text.as_str())?.to_unknown()),
        // Copied, because an external buffer cannot be transferred.
        Data::Blob(bytes) | Data::ArrayBuffer(bytes) => {
            Ok(ArrayBuffer::copy_from(env, bytes)?.to_unknown())
        }
    }
}

/// Creates a string. JavaScript stores ASCII as it is, but has to transcode all other UTF-8.
fn string<'env>(env: &'env Env, text: &str) -> Result<JsString<'env>> {
    if text.is_ascii() { env.create_string_latin1(text) } else { env.create_string(text) }
}

fn number(env: &Env, number: u32) -> Result<Unknown<'_>> {
    Ok(env.create_uint32(number)?.to_unknown())
}
