use fullduplex::host::{Batch, Rest};
use fullduplex::{Data, Event};
use napi::bindgen_prelude::{ArrayBuffer, JsValue, JsValuesTupleIntoVec, Object};
use napi::{Env, JsString, Result, Unknown, sys};

/// `open`.
const OPEN: u32 = 1;
/// `error`.
const ERROR: u32 = 2;

/// An event as one value: 1 is `open` and 2 `error`; a string or an `ArrayBuffer` is the data of a
/// `message`; an object has the members of a `close`.
pub(crate) fn to_js<'env>(env: &'env Env, event: Event) -> Result<Unknown<'env>> {
    match event {
        Event::Open => number(env, OPEN),
        Event::Error => number(env, ERROR),
        Event::Message(message) => data(env, message.data),
        Event::Close(close) => {
            let mut object = Object::new(env)?;
            object.set("wasClean", close.was_clean)?;
            object.set("code", close.code)?;
            object.set("reason", close.reason)?;
            Ok(object.to_unknown())
        }
    }
}

/// The data of several messages, as the arguments of one call: to put them into an array one by one
/// takes longer.
pub(crate) fn many(env: &Env, batch: Batch) -> Result<Many<'_>> {
    let mut values = Vec::with_capacity(batch.messages.len() + 1);
    values.push(number(env, u32::from(batch.rest == Rest::Empty))?);
    for message in batch.messages {
        values.push(data(env, message.data)?);
    }
    Ok(Many(values))
}

/// Numbers, in the same way.
pub(crate) fn numbers(env: &Env, numbers: impl Iterator<Item = u32>) -> Result<Many<'_>> {
    numbers.map(|one| number(env, one)).collect::<Result<_>>().map(Many)
}

/// Arguments of a call.
pub struct Many<'env>(Vec<Unknown<'env>>);

impl JsValuesTupleIntoVec for Many<'_> {
    fn into_vec(self, _: sys::napi_env) -> Result<Vec<sys::napi_value>> {
        Ok(self.0.iter().map(JsValue::raw).collect())
    }
}

fn data(env: &Env, data: Data) -> Result<Unknown<'_>> {
    match data {
        Data::Text(text) => Ok(string(env, text.as_str())?.to_unknown()),
        // A buffer that lay outside of JavaScript could not be transferred.
        Data::Blob(bytes) | Data::ArrayBuffer(bytes) => {
            Ok(ArrayBuffer::copy_from(env, bytes)?.to_unknown())
        }
    }
}

/// JavaScript keeps ASCII as it is, and has to take everything else apart.
fn string<'env>(env: &'env Env, text: &str) -> Result<JsString<'env>> {
    if text.is_ascii() { env.create_string_latin1(text) } else { env.create_string(text) }
}

fn number(env: &Env, number: u32) -> Result<Unknown<'_>> {
    Ok(env.create_uint32(number)?.to_unknown())
}
