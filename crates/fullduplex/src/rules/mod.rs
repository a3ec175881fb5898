//! The rules of the objects as pure state machines, for those who bring an object to another language.

pub mod machine;
pub mod stream_machine;
